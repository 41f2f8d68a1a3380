#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds build/agent/poolfleet-agent-VERSION-{x64,x86}.msi out of the two programs. The same sources
# give the same bytes: codes are derived from the content, times are fixed. OUT and VERSION name
# another folder (inside this one) and version, for a test of the upgrade.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${VERSION:-$(sed -n 's/^VERSION := //p' config.mk)}
# Chosen once. Windows tells by it that one package replaces another; it must never change.
upgrade_code=9F2C7A3E-5A0C-4E0B-9C55-2D5B0C6B7A11
# Times inside the package. Any fixed moment will do; it is no build date.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600}
sign=${SIGN:-:}
built=build/agent
out=${OUT:-$built}
work=$out/msi
mkdir -p "$work"

# A UUID that depends on the text only (version 8, RFC 9562).
uuid_of() {
    local h
    h=$(printf '%s' "$1" | sha256sum)
    printf '%s-%s-8%s-a%s-%s' "${h:0:8}" "${h:8:4}" "${h:13:3}" "${h:17:3}" "${h:20:12}" | tr a-f A-F
}
fixed_time() {
    faketime -f "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%Y-%m-%d %H:%M:%S')" env TZ=UTC "$@"
}
sql() { fixed_time msibuild "$msi" -q "$1"; }
action() { # NAME TYPE SOURCE TARGET
    sql "INSERT INTO CustomAction (Action, Type, Source, Target) VALUES ('$1', $2, '$3', '$4')"
}
step() { # SEQUENCE NAME CONDITION
    sql "INSERT INTO InstallExecuteSequence (Action, Condition, Sequence) VALUES ('$2', '$3', $1)"
}
move() { sql "UPDATE InstallExecuteSequence SET Sequence = $1 WHERE Action = '$2'"; }

# Types of custom actions: 1 a DLL of the Binary table, 51 a property; + 1024 deferred,
# + 2048 as SYSTEM, + 256 on rollback, + 64 whatever it returns, + 8192 its data is not logged.
dll_deferred=$((1 + 1024 + 2048 + 8192))
dll_ignored=$((dll_deferred + 64))
dll_rollback=$((dll_ignored + 256))
# More than 255 characters do not fit a column: the settings by their registry names, no more.
settings='[INSTALLDIR]|ServerUrl=[SERVERURL]|EnrollFile=[ENROLLFILE]|Proxy=[PROXY]|CaFile=[CAFILE]|Tags=[TAGS]|EnrollSecret=[ENROLLSECRET]'
removal='[INSTALLDIR]|RemoveData=[REMOVEDATA]'
public='SERVERURL;ENROLLSECRET;ENROLLFILE;PROXY;CAFILE;TAGS;REMOVEDATA;INSTALLDIR'

finish() {
    # Secrets are neither logged nor kept from the elevated part of the installation.
    sql "INSERT INTO Property (Property, Value) VALUES ('MsiHiddenProperties', 'ENROLLSECRET;Configure')"
    sql "UPDATE Property SET Value = 'WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED;$public' WHERE Property = 'SecureCustomProperties'"
    # The old version goes first, inside the same transaction: a failure brings it back.
    move 1501 RemoveExistingProducts
    # Another build of the same version replaces too: up to and including this version (512).
    sql "DELETE FROM Upgrade WHERE ActionProperty = 'WIX_UPGRADE_DETECTED'"
    sql "INSERT INTO Upgrade (UpgradeCode, VersionMax, Attributes, ActionProperty) VALUES ('{$upgrade_code}', '$version', 513, 'WIX_UPGRADE_DETECTED')"
    # Folders that removal leaves empty (2: on removal).
    for folder in INSTALLDIR VendorFolder; do
        sql "INSERT INTO RemoveFile (FileKey, Component_, DirProperty, InstallMode) VALUES ('Remove$folder', 'Program', '$folder', 2)"
    done
    local first='NOT Installed AND NOT WIX_UPGRADE_DETECTED'
    local gone='REMOVE="ALL" AND NOT UPGRADINGPRODUCTCODE'
    action SetConfigure 51 Configure "$settings"
    action SetUndo 51 UndoConfigure "$removal"
    action SetUnconfigure 51 Unconfigure "$removal"
    action UndoConfigure $dll_rollback Actions unconfigure
    action Configure $dll_deferred Actions configure
    action Unconfigure $dll_ignored Actions unconfigure
    step 1901 SetUnconfigure "$gone"
    step 1902 Unconfigure "$gone"
    step 5801 SetUndo "$first"
    step 5802 UndoConfigure "$first"
    step 5803 SetConfigure 'NOT REMOVE'
    step 5804 Configure 'NOT REMOVE'
}

build() { # ARCH
    local arch=$1 win64=yes folder=ProgramFiles64Folder platform='x64;1033' installer=405
    local condition='VersionNT64' text='This package is for 64-bit Windows; use the x86 package.'
    local exe=$built/$arch/poolfleet-agent.exe dll=$work/$arch/actions.dll
    local prefix=x86_64-w64-mingw32-
    if [ "$arch" = x86 ]; then
        win64=no folder=ProgramFilesFolder platform='Intel;1033' installer=301 prefix=i686-w64-mingw32-
        condition='Installed OR NOT VersionNT64'
        text='This is 64-bit Windows; use the x64 package.'
    fi
    mkdir -p "$work/$arch"
    ${prefix}gcc -std=gnu11 -Os -Wall -Wextra -Werror -shared -static -fno-ident -s \
        -ffile-prefix-map="$PWD"=. -Wl,--no-insert-timestamp -Wl,--kill-at -Wl,--nxcompat -Wl,--dynamicbase \
        -o "$dll" agent/msi/action.c -lmsi
    $sign "$dll"
    cp "$exe" "$work/$arch/poolfleet-agent.exe"
    cp agent/msi/agent.ini.sample "$work/$arch/"
    touch -d "@$SOURCE_DATE_EPOCH" "$work/$arch/"*
    msi=$out/poolfleet-agent-$version-$arch.msi
    local content
    content=$(cat "$exe" "$dll" agent/msi/agent.wxs agent/msi/agent.ini.sample scripts/msi.sh | sha256sum)
    rm -f "$msi"
    fixed_time wixl -a "$([ "$arch" = x64 ] && echo x64 || echo x86)" -o "$msi" \
        -D Version="$version" -D UpgradeCode="$upgrade_code" \
        -D ProductCode="$(uuid_of "product $version $arch")" \
        -D ProgramGuid="$(uuid_of "component program $arch")" \
        -D SampleGuid="$(uuid_of "component sample $arch")" \
        -D Win64=$win64 -D ProgramFiles=$folder -D InstallerVersion=$installer \
        -D Exe="$work/$arch/poolfleet-agent.exe" -D Sample="$work/$arch/agent.ini.sample" \
        -D Actions="$dll" agent/msi/agent.wxs
    sql "INSERT INTO LaunchCondition (Condition, Description) VALUES ('$condition', '$text')"
    finish
    fixed_time msibuild "$msi" -s 'Poolfleet Agent' Poolfleet "$platform" \
        "{$(uuid_of "package $content")}"
    $sign "$msi"
    printf '  %-7s %s (%s bytes)\n' MSI "$msi" "$(stat -c %s "$msi")"
}

build x64
build x86
