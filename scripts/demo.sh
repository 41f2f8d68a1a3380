#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh: from nothing to a fleet on a page: packages, build, a private PostgreSQL under build/demo,
# the server on a free port of loopback, a simulated fleet with a week of history, then live.
#   demo.sh          runs until Ctrl-C; data is kept, a second run starts in seconds
#   DEMO_ONESHOT=1   verifies over HTTP that every expected finding is served, prints them, exits
#   demo.sh clean    removes the data
set -u
cd "$(dirname "$0")/.."

home=build/demo
days=${DEMO_DAYS:-7}
healthy=${DEMO_HOSTS:-40}
started=$(date +%s)
server_pid=
sim_pid=
pg_started=

if [ "${1:-}" = clean ]; then
    [ -d "$home/pg" ] && scripts/pg_private.sh stop "$home/pg" >/dev/null 2>&1
    scripts/pg_private.sh remove "$home/pg" >/dev/null 2>&1
    rm -rf "$home"
    echo "demo: data removed"
    exit 0
fi

step() { printf '[%3ds] %s\n' $(($(date +%s) - started)) "$*"; }
die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}
finish() {
    trap - EXIT INT TERM
    [ -n "$sim_pid" ] && kill "$sim_pid" 2>/dev/null && wait "$sim_pid" 2>/dev/null
    [ -n "$server_pid" ] && kill "$server_pid" 2>/dev/null && wait "$server_pid" 2>/dev/null
    [ -n "$pg_started" ] && scripts/pg_private.sh stop "$home/pg" >/dev/null
    step "stopped; data is kept in $home (make demo-clean removes it)"
}
trap finish EXIT
trap 'exit 130' INT TERM

step "what this machine lacks"
scripts/deps.sh demo || exit 1

step "build"
make -s -j"$(nproc)" all || die "could not build"
mkdir -p "$home"

step "private PostgreSQL in $home/pg"
scripts/pg_private.sh start "$home/pg" >"$home/pg.log" 2>&1 || {
    cat "$home/pg.log" >&2
    die "could not start PostgreSQL"
}
pg_started=1
scripts/pg_private.sh createdb "$home/pg" poolfleet >>"$home/pg.log" 2>&1 || die "could not create the database: see $home/pg.log"
POOLFLEET_DATABASE_URL=$(scripts/pg_private.sh url "$home/pg" poolfleet)
export POOLFLEET_DATABASE_URL
build/bin/poolfleetd migrate >"$home/migrate.log" 2>&1 || {
    cat "$home/migrate.log" >&2
    die "could not migrate"
}

# Tokens are made once and kept beside the data, readable by this user only.
token() {
    local role=$1 file=$home/$1.token
    [ -s "$file" ] && return
    (umask 077 && build/bin/poolfleetd token create --role "$role" --name "demo $role" >"$file") || {
        rm -f "$file"
        die "could not create a token"
    }
}
token ingest
token operator

step "server"
rm -f "$home/ready"
build/bin/poolfleetd serve --listen "127.0.0.1:${DEMO_PORT:-0}" --ready-file "$home/ready" \
    --analyze-interval "${DEMO_ANALYZE_INTERVAL:-2m}" >"$home/server.log" 2>&1 &
server_pid=$!
for _ in $(seq 300); do
    [ -s "$home/ready" ] && break
    kill -0 "$server_pid" 2>/dev/null || {
        cat "$home/server.log" >&2
        die "the server did not start"
    }
    read -rt 0.1 <> <(:) || :
done
[ -s "$home/ready" ] || die "the server did not get ready in 30 s: see $home/server.log"
address=http://$(cat "$home/ready")

sim() {
    build/bin/poolfleet-sim --server "$address" --token-file "$home/ingest.token" \
        --scenario agent/sim/scenarios --hosts "$healthy" --seed 1 "$@"
}

if [ ! -e "$home/filled" ]; then
    step "a simulated fleet with $days days of history"
    sim --backfill "${days}d" --backfill-interval "${DEMO_STEP:-1h}" --duration 0 --progress ||
        die "could not fill in the history"
    date -u +%Y-%m-%dT%H:%M:%SZ >"$home/filled"
fi

step "analysis"
kill -USR1 "$server_pid" # now, not at its turn
node scripts/verify_findings.mjs --server "$address" --token-file "$home/operator.token" --wait \
    || die "the first analysis did not end: see $home/server.log"

if [ "${DEMO_ONESHOT:-0}" = 1 ]; then
    sim --expect "$home/expect.json" --output /dev/null >/dev/null 2>&1 ||
        die "could not list the expected findings"
    node scripts/verify_findings.mjs --server "$address" --token-file "$home/operator.token" \
        --expect "$home/expect.json"
    status=$?
    step "done"
    exit $status
fi

# The live part goes on where the history ended, as the fleet's agents would.
sim --backfill 0 --interval 1m >"$home/sim.log" 2>&1 &
sim_pid=$!

step "ready"
cat <<END

  Poolfleet with a simulated fleet:  $address/#token=$(cat "$home/operator.token")

  Read the API:   curl -H "Authorization: Bearer \$(cat $home/operator.token)" $address/api/v1/findings
  A capture:      build/bin/poolfleetd diagnose FILE
  Another host:   make demo-agent, in another terminal (the Windows agent, under Wine)
  Stop:           Ctrl-C (data is kept; make demo-clean removes it)

END
wait -n "$server_pid" "$sim_pid"
kill -0 "$server_pid" 2>/dev/null && die "the simulated fleet ended: see $home/sim.log"
die "the server ended: see $home/server.log"
