#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The house rules that a compiler does not know: direction of includes, one place for each library,
# SQL only in store/, and the words that must not be in the tree. Last line "N passed, N failed".
set -u
shopt -s lastpipe # the counters below are set inside pipelines
cd "$(dirname "$0")/.."
passed=0
failed=0

# rule NAME: standard input is what breaks the rule; empty is right.
rule() {
    local found
    found=$(cat)
    if [ -z "$found" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'disagree: %s\n%s\n' "$1" "$found"
    fi
}
# Includes in FOLDERS... that match the pattern.
includes() {
    local pattern=$1
    shift
    grep -nE "^#include [<\"]($pattern)" -r "$@" --include='*.[ch]' 2>/dev/null
}

includes '(server|agent)/' common | rule 'common includes neither server nor agent'
includes 'server/' agent | rule 'agent does not include server'
includes 'agent/' server | rule 'server does not include agent'
includes 'agent/(sim|win|nt|pe)/|windows\.h' agent/core | rule 'agent/core is portable'
includes 'agent/(sim|win|core|pe)/|windows\.h' agent/nt | rule 'agent/nt is portable and knows only common'
includes 'agent/(sim|win|core|nt)/|windows\.h' agent/pe | rule 'agent/pe is portable and knows only common'
includes 'server/(store|http|api|ingest|state|jobs|report)/' server/chunk server/analyze server/diagnose server/tagdict server/known server/fix |
    rule 'chunk, analyze, diagnose, tagdict, known and fix are pure'
includes 'server/(http|api)/' server/store server/ingest server/state server/jobs server/report |
    rule 'nothing below the API sees HTTP'
grep -lE '^#include <libpq' -r common agent server --include='*.[ch]' | grep -v '^server/store/db[_a-z]*\.[ch]$' |
    rule 'libpq lives in server/store/db* alone'
grep -lE '^#include <microhttpd' -r common agent server --include='*.[ch]' | grep -v '^server/http/' |
    rule 'libmicrohttpd lives in server/http alone'
grep -nE '"(SELECT|INSERT|UPDATE|DELETE|WITH) ' -r common agent server --include='*.c' | grep -v '^server/store/' |
    rule 'SQL lives in server/store alone'
grep -rnE 'innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(' web --include='*.js' --exclude-dir=node_modules |
    rule 'the page builds no markup from text'
grep -nE 'https?://' web/package-lock.json tests/package-lock.json 2>/dev/null | grep -vE '"url": "https://(github|opencollective|www\.patreon|tidelift|paulmillr|dotenvx|feross|sindresorhus)|"(funding|homepage)"' | grep -E 'resolved' |
    rule 'lock files name no registry'
grep -rnE 'TODO' common agent server web/*.js web/lib web/views web/components --include='*.[chj]*' 2>/dev/null | grep -vE 'TODO\([0-9]+\)' |
    rule 'a TODO names its number'
grep -LE 'SPDX-License-Identifier' $(git ls-files '*.c' '*.h' '*.sh' '*.mjs' 2>/dev/null) /dev/null 2>/dev/null | grep -v '^/dev/null$' |
    rule 'every source file names its licence'
git ls-files 2>/dev/null | grep -E '(^|/)node_modules/|\.(o|a|exe|msi)$' | rule 'nothing built is committed'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
