#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_drivers.sh [FOLDER]: compiles the drivers of tests/drivers with every compiler at hand for
# x86, x64 and ARM64 at -O0, -Os and -O2, and checks the tag scanner against each of the files.
# The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/drivers}
source=tests/drivers
headers=/usr/share/mingw-w64/include
mkdir -p "$out"
# a tag is a multi-character constant, and the DDK headers have their own warnings
flags=(-std=gnu11 -w -ffreestanding -fno-ident -isystem "$headers/ddk")

# libraries ARCH MACHINE GNU_PREFIX: import libraries from the .def files, for LLVM's linker and for
# GNU's (each reads the other's wrongly when several are given). The @N of the names is x86's only.
libraries() {
    local arch=$1 machine=$2 gnu=$3 def name decorated=-k
    mkdir -p "$out/$arch/gnu"
    for def in "$source"/*.def; do
        name=$(basename "$def" .def)
        if [ "$arch" = x86 ]; then
            cp "$def" "$out/$arch/$name.def"
        else
            sed 's/@[0-9]*$//' "$def" >"$out/$arch/$name.def"
            decorated=
        fi
        llvm-dlltool -m "$machine" $decorated -d "$out/$arch/$name.def" -l "$out/$arch/lib$name.a"
        [ -z "$gnu" ] || "$gnu"dlltool $decorated -d "$out/$arch/$name.def" \
            -l "$out/$arch/gnu/lib$name.a"
    done
}

# build ARCH NAME COMPILER...: every driver at every level, as ARCH/NAME-O2-allocate.sys
build() {
    local arch=$1 name=$2 entry=DriverEntry level driver
    shift 2
    local gnu=
    case $1 in *mingw32-gcc) gnu=1 ;; esac
    [ "$arch" = x86 ] && entry=_DriverEntry@8
    for level in O0 Os O2; do
        for driver in "$source"/*.c; do
            driver=$(basename "$driver" .c)
            [ "$driver" = check ] && continue
            "$@" "${flags[@]}" "-$level" -shared -nostdlib -Wl,--subsystem,native \
                -Wl,--entry,"$entry" -o "$out/$arch/$name-$level-$driver.sys" \
                "$source/$driver.c" -L"$out/$arch${gnu:+/gnu}" -lntoskrnl -lndis -lstorport -lfltmgr -lwdfldr
        done
    done
}

libraries x64 i386:x86-64 x86_64-w64-mingw32-
libraries x86 i386 i686-w64-mingw32-
libraries arm64 arm64 ""
build x64 gcc x86_64-w64-mingw32-gcc
build x64 gcc_thunks x86_64-w64-mingw32-gcc -DTHUNKS
build x86 gcc i686-w64-mingw32-gcc
build x86 gcc_pushes i686-w64-mingw32-gcc -mno-accumulate-outgoing-args -fomit-frame-pointer
build x64 clang clang --target=x86_64-windows-gnu -fuse-ld=lld -isystem "$headers"
build x86 clang clang --target=i686-windows-gnu -fuse-ld=lld -isystem "$headers"
build arm64 clang clang --target=aarch64-windows-gnu -fuse-ld=lld -isystem "$headers"
build arm64 clang_thunks clang --target=aarch64-windows-gnu -fuse-ld=lld -isystem "$headers" -DTHUNKS

# facts: a version resource, and the two kinds of symbol record
x86_64-w64-mingw32-windres -o "$out/version.o" "$source/version.rc"
x86_64-w64-mingw32-gcc "${flags[@]}" -O2 -shared -nostdlib -Wl,--subsystem,native \
    -Wl,--entry,DriverEntry -Wl,--build-id -o "$out/facts-ld.sys" "$source/allocate.c" \
    "$out/version.o" -L"$out/x64/gnu" -lntoskrnl
clang --target=x86_64-windows-gnu -fuse-ld=lld -isystem "$headers" "${flags[@]}" -O2 -g -gcodeview \
    -shared -nostdlib -Wl,--subsystem,native -Wl,--entry,DriverEntry -Wl,--no-insert-timestamp \
    -Wl,--pdb="$out/driver with blanks.pdb" -o "$out/facts-lld.sys" "$source/allocate.c" \
    "$out/version.o" -L"$out/x64" -lntoskrnl

"${CC:-gcc}" -std=gnu11 -I. -D_GNU_SOURCE -include common/banned.h -Wall -Wextra -O1 -g \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined -o "$out/check" \
    "$source/check.c" agent/pe/*.c common/tag.c common/status.c common/utf8.c
"$out/check" "$out"
