#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the npm packages that FOLDER's lock file names: `scripts/npm_ci.sh web`. Quiet unless it
# fails. The lock file must name no registry: packages come from whichever one npm is set to.
set -eu

folder=${1:?usage: npm_ci.sh FOLDER}
lock=$folder/package-lock.json

if [ ! -f "$lock" ]; then
    echo "could not install packages: \"$lock\" is missing" >&2
    exit 1
fi
if grep -q '"resolved"' "$lock"; then
    echo "could not install packages: \"$lock\" names a registry" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
    cat "$log" >&2
    echo "could not install packages of \"$folder\"" >&2
    exit 1
fi
