#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Does the agent import only what its oldest Windows has? check_imports.sh [EXE ARCH]... compares the
# import table of each EXE with agent/win/imports.txt; without arguments, the built ones. Last line
# "N passed, N failed".
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
list=$root/agent/win/imports.txt
passed=0
failed=0
disagree() {
    printf 'disagree: %s\n' "$1"
    failed=$((failed + 1))
}

command -v objdump >/dev/null || {
    echo "check_imports: objdump is missing (Debian package binutils)" >&2
    exit 1
}

# DLL!FUNCTION lines of an exe. Imports by number have no name to look up: shown as #N, never listed.
imports() {
    objdump -p "$1" | awk '
        /DLL Name:/ { dll = tolower($3) }
        dll != "" && /^\t[0-9a-f]+\t *[0-9]+ +[^ ]/ { print dll "!" $3 }
        dll != "" && /^\t[0-9a-f]+\t *<none>/ { print dll "!#" $2 }
        /^The Export Tables|^PE File Base Relocations/ { dll = "" }'
}

check() { # EXE ARCH
    local exe=$1 arch=$2 found unlisted dll
    if [ ! -f "$exe" ]; then
        disagree "$exe is not there (make agent-exe)"
        return
    fi
    found=$(imports "$exe" | LC_ALL=C sort -u)
    if [ -z "$found" ]; then
        disagree "$exe: no imports could be read"
        return
    fi
    unlisted=$(LC_ALL=C comm -23 <(printf '%s\n' "$found") <(allowed "$arch"))
    while IFS= read -r dll; do
        [ -n "$dll" ] && disagree "${exe#"$root"/} imports $dll, which agent/win/imports.txt does not list for $arch"
    done <<<"$unlisted"
    passed=$((passed + $(printf '%s\n' "$found" | wc -l) - $(printf '%s' "$unlisted" | grep -c .)))
}

allowed() { # ARCH
    awk -v arch="$1" '$1 == "both" || $1 == arch { print $2 }' "$list" | LC_ALL=C sort -u
}

# Every line names the oldest Windows.
while IFS= read -r line; do
    disagree "imports.txt: $line"
done < <(grep -vE '^(#|$)' "$list" | grep -vE '^(both|x64|x86) +[a-z0-9_.]+![A-Za-z0-9_@]+ +# .')

if [ $# -gt 0 ]; then
    while [ $# -ge 2 ]; do
        check "$1" "$2"
        shift 2
    done
else
    check "$root/build/agent/x64/poolfleet-agent.exe" x64
    check "$root/build/agent/x86/poolfleet-agent.exe" x86
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
