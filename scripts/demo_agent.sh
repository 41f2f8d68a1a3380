#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo_agent.sh: the real Windows agent beside a running demo (make demo in another terminal): the
# program under Wine enrols over HTTP, posts snapshots, and shows on the page as one more host.
# Wine's kernel has no pools: the numbers come from recorded answers and say "simulated" everywhere.
# Ctrl-C stops it; what it kept is kept for the next run.
set -u
cd "$(dirname "$0")/.."

home=build/demo
agent=build/agent/x64/poolfleet-agent.exe
wine_pid=

die() {
    printf 'demo-agent: %s\n' "$*" >&2
    exit 1
}
finish() {
    trap - EXIT INT TERM
    [ -n "$wine_pid" ] && kill "$wine_pid" 2>/dev/null && wait "$wine_pid" 2>/dev/null
    [ -n "${WINEPREFIX:-}" ] && wineserver -k 2>/dev/null
    exit "${1:-0}"
}
trap 'finish $?' EXIT
trap 'exit 130' INT TERM

[ -s "$home/ready" ] || die "no demo is running; start it with: make demo"
address=http://$(cat "$home/ready")
node -e 'require("http").get(process.argv[1] + "/healthz", (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on("error", () => process.exit(1))' \
    "$address" || die "no demo answers at $address; start it with: make demo"

echo "what this machine lacks"
scripts/deps.sh demo-agent || exit 1
echo "build"
make -s -j"$(nproc)" agent-exe build/tools/make_replay >"$home/agent-build.log" 2>&1 || {
    tail -20 "$home/agent-build.log" >&2
    die "could not build the agent"
}

export WINEPREFIX=$PWD/$home/wine WINEARCH=win64 WINEDEBUG=-all
export WINEDLLOVERRIDES='mscoree,mshtml,winemenubuilder.exe='
unset DISPLAY
if [ ! -e "$WINEPREFIX/.ready" ]; then
    echo "a Windows to run it in: $home/wine"
    wineboot --init >/dev/null 2>&1 || die "could not make a Wine prefix"
    wineserver -w
    : >"$WINEPREFIX/.ready"
fi

# Recorded pools, but the drivers of this Windows: their files are really read, hashed and scanned.
if [ ! -d "$home/replay" ]; then
    build/tools/make_replay "$home/replay" --steps 200 --leak Leak ||
        die "could not write recorded answers"
    rm -f "$home"/replay/77-*.bin "$home"/replay/11-*.bin
fi

data=$WINEPREFIX/drive_c/ProgramData/Poolfleet/Agent
options=(--server-url "$address" --interval-seconds 10 --replay "Z:$(echo "$PWD/$home/replay" | tr / '\\')"
    --tags role=demo)
if [ ! -e "$data/identity" ]; then
    echo "enrol"
    url=$(scripts/pg_private.sh url "$home/pg" poolfleet)
    POOLFLEET_DATABASE_URL=$url build/bin/poolfleetd enroll-secret create \
        --name "demo agent $(date +%s)" --max-uses 1 --expires 1d |
        wine "$agent" enroll "${options[@]}" || die "could not enrol"
fi

echo "agent (simulated kernel) -> $address"
echo "  see it on the page under Hosts, or: $address/hosts"
echo "  Ctrl-C stops it"
wine "$agent" run "${options[@]}" &
wine_pid=$!
wait "$wine_pid"
