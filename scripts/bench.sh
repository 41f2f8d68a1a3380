#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bench.sh all|NAME: benchmarks against a release build, with a private PostgreSQL that really writes
# (fsync on). Prints a table each and writes build/bench/NAME.json. Measure on a quiet machine.
set -eu
cd "$(dirname "$0")/.."
scripts/deps.sh check
make -s -j"$(nproc)" all
mkdir -p build/bench build/tools
make -s build/tools/load build/tools/probe build/tools/peer build/tools/bench_agent bench-store-bin
case "${1:-all}" in all | ingest | storage) scripts/deps.sh bench ;; esac
exec node tests/bench/run.mjs "${1:-all}"
