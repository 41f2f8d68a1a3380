#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the tests: check.sh all|unit|db|http|torture|agent|web|diagnose|scenarios|fuzz|house; web is
# pages and screens, and parts may be joined by commas. Each part's figures are added up; the last line is
# "N passed, N failed". Exit 1 when anything failed or a part did not run to its end.
set -u
cd "$(dirname "$0")/.."

what=${1:-all}
san=${TESTSAN:-${SAN:-no}}
[ "$san" = no ] && san=address
jobs=$(nproc)
# A lane runs beside the others: what it needs is built, and its logs and PostgreSQL are its own.
lane=${CHECK_LANE:-}
logs=build/check${lane:+/$lane}
faults=$logs/faults.txt # what failed, told again at the end
lane_pid=
passed=0
failed=0
skipped=0
pg_dir=
mkdir -p "$logs"
rm -f "$faults"

finish() {
    [ -n "$lane_pid" ] && kill "$lane_pid" 2>/dev/null
    [ -n "$pg_dir" ] && scripts/pg_private.sh remove "$pg_dir" >/dev/null # its data lie elsewhere
    :
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '== %s\n' "$*"; }

# count NAME LOG STATUS SECONDS: adds what the runner's closing lines say.
count() {
    local name=$1 log=$2 status=$3 took=$4 p=0 f=0 s=0 line
    if line=$(grep -E '^[0-9]+%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+' "$log" | tail -1) && [ -n "$line" ]; then
        set -- $(echo "$line" | tr -cs '0-9' ' ')
        f=$(($3 + $4))
        p=$(($2 - f))
    elif grep -qE '^# tests [0-9]+' "$log"; then
        p=$(awk '/^# pass /{n+=$3} END{print n+0}' "$log")
        f=$(awk '/^# fail /{n+=$3} /^# cancelled /{n+=$3} END{print n+0}' "$log")
        s=$(awk '/^# skipped /{n+=$3} END{print n+0}' "$log")
    elif line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -1) && [ -n "$line" ]; then
        set -- $(echo "$line" | tr -cs '0-9' ' ')
        p=$1 f=$2 s=${3:-0}
    else
        echo "$name: no closing line; see $log"
        f=1
    fi
    if [ "$status" != 0 ] && [ "$f" = 0 ]; then
        echo "$name: exit $status although no test failed; see $log"
        f=1
    fi
    if [ "$f" != 0 ] || [ "$status" != 0 ]; then
        {
            echo "-- $name"
            grep -E '^ *not ok|^ *error: |\.mjs:[0-9]+:|:[FE]:|ERROR: |runtime error|disagree|^  (expected|got)|Sanitizer' "$log" | head -60
        } | tee -a "$faults"
        echo "-- end of $log"
        tail -25 "$log"
    fi
    printf '   %-16s %5d passed, %d failed%s  %4d s\n' "$name" "$p" "$f" "$([ "$s" != 0 ] && echo ", $s skipped")" "$took"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# run NAME COMMAND...: output to a log, shown when it fails.
run() {
    local name=$1 log=$logs/$1.log status began=$SECONDS
    shift
    "$@" >"$log" 2>&1
    status=$?
    count "$name" "$log" $status $((SECONDS - began))
}

build() {
    local began=$SECONDS
    say "build ($*)"
    if ! make -s -j"$jobs" "$@" >"$logs/build.log" 2>&1; then
        grep -E 'error|Error|undefined' "$logs/build.log" | head -30
        tail -5 "$logs/build.log"
        echo "could not build: see $logs/build.log"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    fi
    [ $((SECONDS - began)) -lt 2 ] || printf '   %-16s %27d s\n' built $((SECONDS - began))
}

private_pg() {
    [ -n "$pg_dir" ] && return
    pg_dir=$logs/pg
    scripts/pg_private.sh remove "$pg_dir" >/dev/null 2>&1 # of a run that was cut off
    scripts/pg_private.sh start "$pg_dir" --test >"$logs/pg.log" 2>&1 || {
        cat "$logs/pg.log"
        echo "could not start a private PostgreSQL"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    }
    POOLFLEET_TEST_URL=$(scripts/pg_private.sh url "$pg_dir")
    export POOLFLEET_TEST_URL
    export POOLFLEET_TEST_TEMPLATE=poolfleet_template
    scripts/pg_private.sh createdb "$pg_dir" poolfleet_template
    "$POOLFLEETD" migrate --database-url "$(scripts/pg_private.sh url "$pg_dir" poolfleet_template)" \
        >"$logs/migrate.log" 2>&1 || {
        cat "$logs/migrate.log"
        echo "could not migrate the template database"
        echo "$passed passed, $((failed + 1)) failed"
        exit 1
    }
}

export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
export CK_FORK=${CK_FORK:-yes} CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-120}

part_unit() {
    build SAN="$san" test-unit-bin detect-bin
    say "unit (sanitizer: $san)"
    run unit "build/$(config)/test-unit"
    run detect-bench "build/$(config)/bench-detect" --self-test
}
config() { [ "$san" = no ] && echo release || echo "san-$san"; }

# The server under test is the sanitized one, so the black-box tests see its memory errors too.
server() {
    build SAN="$san" all
    POOLFLEETD=$PWD/build/$(config)/poolfleetd
    POOLFLEET_SIM=$PWD/build/$(config)/poolfleet-sim
    export POOLFLEETD POOLFLEET_SIM
}
part_db() {
    build SAN="$san" all test-db-bin
    server
    private_pg
    say "db (private PostgreSQL)"
    run db "build/$(config)/test-db"
}
npm_tests() {
    [ -n "$lane" ] || [ -n "${npm_there:-}" ] && return
    npm_there=1
    [ -e tests/package.json ] && scripts/npm_ci.sh tests >"$logs/npm.log" 2>&1
    scripts/npm_ci.sh web >>"$logs/npm.log" 2>&1
}
node_tests() {
    local name=$1
    shift
    run "$name" node --test --test-reporter=tap --test-concurrency=1 "$@"
}
part_http() {
    server
    private_pg
    npm_tests
    say "http (black box)"
    # One file at a time: a figure for each, and two cores are enough work for one server.
    for file in tests/http/*.test.mjs; do
        node_tests "http-$(basename "$file" .test.mjs)" "$file"
    done
}
# The page as a whole, with the server behind it; then each screen, which needs a stand-in only.
whole_page=" live pages shell outline "
part_pages() {
    server
    npm_tests
    say "web (headless browser)"
    run web-types npm --prefix web run --silent check-summary
    node_tests web-lib web/test/*.test.js
    private_pg
    for name in $whole_page; do node_tests "web-$name" "tests/web/$name.test.mjs"; done
}
part_screens() {
    server
    npm_tests
    say "web, screen by screen"
    for file in tests/web/*.test.mjs; do
        name=$(basename "$file" .test.mjs)
        [[ $whole_page == *" $name "* ]] || node_tests "web-$name" "$file"
    done
}
part_web() {
    part_pages
    part_screens
}
part_diagnose() {
    server
    say "diagnose (captures; folder ${POOLFLEET_SAMPLES:-../shared/samples})"
    run diagnose node tests/diagnose/check_samples.mjs
}
part_fuzz() {
    build fuzz-bin
    say "fuzz (${FUZZ_SECONDS:-4} s a target)"
    run fuzz scripts/fuzz.sh "${FUZZ_SECONDS:-4}"
}
# The Windows agent: what is handed out, then what it does under Wine (whose kernel has no pools:
# numbers are simulated there, and say so).
part_agent() {
    server
    private_pg
    npm_tests
    build agent build/tools/make_replay build/tools/kill_spool
    say "agent (packages, drivers, spool)"
    run agent-imports scripts/check_imports.sh
    run agent-drivers scripts/check_drivers.sh build/drivers
    run agent-spool tests/agent/kill_spool.sh build/tools/kill_spool "${KILLS:-300}"
    node_tests agent-packages tests/agent/package.test.mjs
    say "agent under Wine"
    for file in tests/wine/*.test.mjs; do
        node_tests "agent-$(basename "$file" .test.mjs)" "$file"
    done
}
# The faults harness in its short form, about a minute; make torture is the long one.
part_torture() {
    server
    say "torture (faults under load)"
    node_tests torture-rules tests/torture/rules.test.mjs
    run torture node tests/torture/torture.mjs --short --seed "${TORTURE_SEED:-1}"
}
part_house() {
    say "house rules"
    run house scripts/check_deps.sh
}
part_scenarios() {
    server
    private_pg
    say "scenarios (simulated fleets through the whole pipeline)"
    run scenarios scripts/check_scenarios.sh
}

say "what this machine lacks"
scripts/deps.sh check || {
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}
case $what in
all)
    part_house
    # The agent's tests mostly wait for Wine, so they are a lane of their own once all is built; so much
    # follows there that both lanes end at about the same time.
    npm_tests
    build SAN="$san" all test-unit-bin detect-bin test-db-bin
    build all agent build/tools/make_replay build/tools/kill_spool
    CHECK_LANE=agent scripts/check.sh agent,screens,torture,diagnose,fuzz \
        >"$logs/agent-lane.log" 2>&1 &
    lane_pid=$!
    for part in unit db http scenarios pages; do "part_$part"; done
    say "the lane beside"
    wait "$lane_pid"
    lane_pid=
    sed '/^$/d' "$logs/agent-lane.log"
    [ ! -e "$logs/agent/faults.txt" ] || cat "$logs/agent/faults.txt" >>"$faults"
    # Its last line is "N passed, N failed[, N skipped]".
    set -- $(tail -1 "$logs/agent-lane.log" | tr -cs '0-9' ' ')
    passed=$((passed + ${1:-0})) failed=$((failed + ${2:-1})) skipped=$((skipped + ${3:-0}))
    ;;
*) for part in ${what//,/ }; do "part_$part"; done ;;
esac
if [ -e "$faults" ] && [ -z "$lane" ]; then
    say "what failed"
    cut -c 1-300 "$faults" | head -80
fi
echo
if [ "$skipped" != 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
