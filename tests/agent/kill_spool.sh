#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills a spooling process at random: kill_spool.sh PROGRAM KILLS [SEED] [sync]. The folder is in
# memory where the system has one: killed processes do not need a disk, and thousands of files do.
set -eu
program=$1
kills=$2
seed=${3:-$$}
base=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "${4:-}" != sync ]; then
    base=/dev/shm
fi
folder=$(mktemp -d "$base/poolfleet-kill.XXXXXX")
trap 'rm -rf "$folder"' EXIT
echo "seed $seed"
"$program" "$folder" "$kills" "$seed" ${4:-}
