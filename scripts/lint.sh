#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy and cppcheck over our C. Findings are printed; exit 1 when there are any.
set -u
cd "$(dirname "$0")/.."
for tool in clang-tidy cppcheck; do
    command -v $tool >/dev/null || {
        echo "lint: $tool is missing (Debian packages clang-tidy, cppcheck)" >&2
        exit 1
    }
done
flags='-I. -I/usr/include/postgresql -D_GNU_SOURCE -DPOOLFLEET_VERSION="0" -std=gnu11'
status=0
files=$(git ls-files 'common/*.c' 'agent/*.c' 'server/*.c')
mkdir -p build
lint() { clang-tidy --quiet "$@" -- $flags 2>/dev/null; }
export flags
export -f lint
printf '%s\n' $files | xargs -P "$(nproc)" -n 8 bash -c 'lint "$@"' lint |
    grep -E 'warning:|error:' | sort -u | tee build/lint-tidy.txt
[ -s build/lint-tidy.txt ] && status=1
# shellcheck disable=SC2086
cppcheck --quiet --std=c11 --enable=warning,portability --inline-suppr --suppress=missingInclude \
    --suppress=missingIncludeSystem --error-exitcode=1 -I. $files || status=1
exit $status
