#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fuzz.sh SECONDS: each fuzz target for so long over its corpus. New inputs go to build/fuzz/corpus;
# an input that crashes is kept in build/fuzz/found and belongs into tests/fuzz/corpus once fixed.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-10}
passed=0
failed=0
mkdir -p build/fuzz/found
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    name=${name#fuzz_}
    mkdir -p "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
    if "build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build/fuzz/found/$name-" \
        "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
        printf '%-16s %s executions\n' "$name" \
            "$(awk '/number_of_executed_units/ {print $2}' "build/fuzz/$name.log")"
        passed=$((passed + 1))
    else
        printf '%-16s FAILED\n' "$name"
        grep -vE '^#[0-9]+' "build/fuzz/$name.log" | tail -40
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
