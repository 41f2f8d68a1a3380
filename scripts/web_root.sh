#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Puts the page's files into a folder that the server embeds or serves: `scripts/web_root.sh
# build/web`. Ours are copied as they are, the vendors' files unchanged from web/node_modules. What
# lies in the folder and is no longer part of the page is deleted.
set -eu

out=${1:?usage: web_root.sh FOLDER}
cd "$(dirname "$0")/.."
case $out in
    /|.|..|web|./web|"") echo "could not write the page: \"$out\" is no folder for it" >&2; exit 2 ;;
esac

mkdir -p "$out"
next=$out.next.$$
rm -rf "$next"
trap 'rm -rf "$next"' EXIT
mkdir -p "$next/vendor"

cp web/index.html web/main.js web/theme.js "$next/"
for folder in lib components views css icons; do
    find "web/$folder" -type f \( -name '*.js' -o -name '*.css' -o -name '*.svg' \) | while read -r file; do
        mkdir -p "$next/$(dirname "${file#web/}")"
        cp "$file" "$next/${file#web/}"
    done
done

vendor() { # FROM TO
    if [ ! -f "web/node_modules/$1" ]; then
        echo "could not write the page: \"web/node_modules/$1\" is missing; run scripts/npm_ci.sh web" >&2
        exit 1
    fi
    cp "web/node_modules/$1" "$next/vendor/$2"
}
vendor htm/preact/standalone.module.js htm-preact.js
vendor htm/LICENSE htm-preact.LICENSE.txt
vendor uplot/dist/uPlot.iife.min.js uplot.js
vendor uplot/dist/uPlot.min.css uplot.css
vendor uplot/LICENSE uplot.LICENSE.txt

# Only what differs is written, so that build stamps and caches stay valid; then the stale goes.
(cd "$next" && find . -type f) | while read -r file; do
    mkdir -p "$out/$(dirname "$file")"
    cmp -s "$next/$file" "$out/$file" || cp "$next/$file" "$out/$file"
done
(cd "$out" && find . -type f ! -name '.*') | while read -r file; do
    [ -f "$next/$file" ] || rm -f "$out/$file"
done
find "$out" -mindepth 1 -type d -empty -delete
