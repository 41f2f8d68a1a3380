#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the project needs and this machine lacks, from Debian's packages; lists it first.
#   deps.sh demo    what building and the demo need
#   deps.sh agent   what building the Windows agent and its packages needs
#   deps.sh demo-agent   both, and what runs the agent here
#   deps.sh check   all of that, and what the tests need
#   deps.sh bench   what the benchmarks measure beside us: downloaded and unpacked in build/peers,
#                   not installed, so nothing on this machine starts or changes
# POOLFLEET_NO_INSTALL=1 only reports, and fails when something is missing.
set -eu

purpose=${1:-demo}

# "what it gives|how to see that it is there|Debian package"
base='
compiler|command:gcc|gcc
C library headers|file:/usr/include/stdio.h|libc6-dev
HTTP server library|file:/usr/include/microhttpd.h|libmicrohttpd-dev
JSON library|file:/usr/include/jansson.h|libjansson-dev
PostgreSQL client library|file:/usr/include/postgresql/libpq-fe.h|libpq-dev
zstd|file:/usr/include/zstd.h|libzstd-dev
zlib|file:/usr/include/zlib.h|zlib1g-dev
TLS certificates of the server|file:/usr/include/gnutls/gnutls.h|libgnutls28-dev
hashes and random tokens|file:/usr/include/sodium.h|libsodium-dev
HTTP and mail client library|header:curl/curl.h|libcurl4-gnutls-dev
PostgreSQL server|glob:/usr/lib/postgresql/*/bin/initdb|postgresql
JavaScript runtime|command:node|nodejs
npm|command:npm|npm
certificates for npm|file:/etc/ssl/certs/ca-certificates.crt|ca-certificates
'
agent='
cross compiler, 64 bits|command:x86_64-w64-mingw32-gcc|gcc-mingw-w64-x86-64-win32
cross compiler, 32 bits|command:i686-w64-mingw32-gcc|gcc-mingw-w64-i686-win32
zlib for Windows|file:/usr/x86_64-w64-mingw32/lib/libz.a|libz-mingw-w64-dev
MSI builder|command:wixl|wixl
MSI tools|command:msiinfo|msitools
fixed times inside packages|command:faketime|faketime
'
wine='
Windows programs on Linux|command:wine|wine
64-bit part of it|glob:/usr/lib/wine/wine64|wine64
'
tests='
linker of test drivers|command:lld-link|lld
tools for test drivers|command:llvm-dlltool|llvm
signing, for its test|command:osslsigncode|osslsigncode
certificates of the tests|command:openssl|openssl
XML checker|command:xmllint|libxml2-utils
ELF and PE tables|command:objdump|binutils
unit test library|file:/usr/include/check.h|check
subunit (used by it)|header:subunit/child.h|libsubunit-dev
fuzzing compiler|command:clang|clang
fuzzing runtime|glob:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a|libclang-rt-14-dev
browser|command:chromium|chromium
'

present() {
    what=${1%%:*}
    where=${1#*:}
    case $what in
    command) command -v "$where" >/dev/null 2>&1 ;;
    file) [ -e "$where" ] ;;
    header) [ -e "/usr/include/$where" ] || ls /usr/include/*/"$where" >/dev/null 2>&1 ;;
    glob) eval "ls $where" >/dev/null 2>&1 ;;
    esac
}

# Without an answer of the mirror the benchmarks go on, and say which peer is not there.
bench_peers() {
    mkdir -p build/peers
    for package in victoria-metrics influxdb prometheus; do
        [ -d "build/peers/$package" ] && continue
        [ "${POOLFLEET_NO_INSTALL:-0}" = 1 ] && { echo "  missing  $package (Debian package)"; continue; }
        echo "  unpack   $package"
        (cd build/peers && apt-get -q -q download "$package" 2>/dev/null &&
            dpkg-deb -x "$package"_*.deb "$package.new" && mv "$package.new" "$package") ||
            echo "  missing  $package (Debian package): could not be downloaded"
        rm -f build/peers/"$package"_*.deb
    done
}

case $purpose in
bench) bench_peers && exit 0 ;;
demo) wanted=$base ;;
agent) wanted=$agent ;;
demo-agent) wanted=$base$agent$wine ;;
check) wanted=$base$agent$wine$tests ;;
*)
    echo "deps: unknown purpose \"$purpose\"; use demo, agent, demo-agent, check or bench" >&2
    exit 2
    ;;
esac

missing=''
old_ifs=$IFS
IFS='
'
for line in $wanted; do
    name=${line%%|*}
    rest=${line#*|}
    if ! present "${rest%%|*}"; then
        missing="$missing ${rest#*|}"
        printf '  missing  %-34s Debian package %s\n' "$name" "${rest#*|}"
    fi
done
IFS=$old_ifs

[ -z "$missing" ] && exit 0
if [ "${POOLFLEET_NO_INSTALL:-0}" = 1 ]; then
    echo "deps: not installing (POOLFLEET_NO_INSTALL=1); install with: apt-get install$missing" >&2
    exit 1
fi
command -v apt-get >/dev/null 2>&1 || {
    echo "deps: no apt-get here; install the equivalents of:$missing" >&2
    exit 1
}
as_root=''
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "deps: not root and no sudo; ask an administrator for: apt-get install$missing" >&2
        exit 1
    }
    as_root=sudo
fi

# Debian's package would create and start a server of its own. We run a private one, so a fresh
# installation is told not to; an existing one is left alone.
case " $missing " in
*" postgresql "*)
    echo "  note     PostgreSQL is installed without a system-wide server (createcluster.d/poolfleet.conf)"
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' |
        $as_root tee /etc/postgresql-common/createcluster.d/poolfleet.conf >/dev/null
    ;;
esac

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "  install $missing"
run_apt() {
    # shellcheck disable=SC2086 # a list of words is meant
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        echo "deps: apt-get $1 failed" >&2
        exit 1
    }
}
run_apt -q update
# shellcheck disable=SC2086
run_apt -q -y --no-install-recommends install $missing
