#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every scenario through the whole pipeline (simulator -> HTTP -> PostgreSQL -> analysis -> API), with
# another seed than the demo's: each incident must be named, with its hosts and cause, and nothing
# else; and the back-test must say what the live server says. A release build, for the data's size.
set -eu
cd "$(dirname "$0")/.."
home=build/check/scenarios
rm -rf "$home"
mkdir -p "$home"
make -s all
url=$(scripts/pg_private.sh url build/check/pg poolfleet_scenarios)
scripts/pg_private.sh createdb build/check/pg poolfleet_scenarios
export POOLFLEET_DATABASE_URL=$url
build/bin/poolfleetd migrate >"$home/migrate.log"
token() { build/bin/poolfleetd token create --role "$1" --name "$1" >"$home/$1.token"; }
token ingest
token viewer
build/bin/poolfleetd serve --listen 127.0.0.1:0 --ready-file "$home/ready" --analyze-interval 1d \
    2>"$home/server.log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || :' EXIT
for _ in $(seq 300); do
    [ -s "$home/ready" ] && break
    read -rt 0.1 <> <(:) || :
done
address=http://$(cat "$home/ready")
token admin
# The first pass is over before anything comes: a finding keeps the identity of the pass that made it,
# and a pass over half of the data would make others.
node scripts/verify_findings.mjs --server "$address" --token-file "$home/admin.token" --wait-first
seed=${SCENARIO_SEED:-7}
sim="build/bin/poolfleet-sim --scenario agent/sim/scenarios --hosts 30 --seed $seed"
now=${SCENARIO_NOW:-$(date -u +%Y-%m-%dT%H:%M:00Z)}
$sim --now "$now" --backfill 7d --backfill-interval 1h --duration 0 --server "$address" \
    --token-file "$home/ingest.token" >"$home/sim.log" 2>&1
$sim --now "$now" --expect "$home/expect.json" --output /dev/null
# The same analysis from the command line, before the server has run its own.
build/bin/poolfleetd analyze --as-of "$now" --json >"$home/backtest.json"
kill -USR1 $server
node scripts/verify_findings.mjs --server "$address" --token-file "$home/viewer.token" --wait
node scripts/verify_findings.mjs --server "$address" --token-file "$home/viewer.token" \
    --expect "$home/expect.json" --backtest "$home/backtest.json"
