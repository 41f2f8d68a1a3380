#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signs one file in place: make agent SIGN=deploy/agent/sign.sh
#   SIGN_CERT, SIGN_KEY   certificate chain and key, PEM
#   SIGN_PASS_FILE        file with the key's password (optional)
#   SIGN_TIMESTAMP_URL    RFC 3161 server (optional; the result is then no longer reproducible)
set -eu
: "${SIGN_CERT:?certificate chain, PEM}" "${SIGN_KEY:?its key, PEM}"
file=$1
set -- -certs "$SIGN_CERT" -key "$SIGN_KEY" -h sha256 -n 'Poolfleet Agent'
[ -n "${SIGN_PASS_FILE:-}" ] && set -- "$@" -readpass "$SIGN_PASS_FILE"
[ -n "${SIGN_TIMESTAMP_URL:-}" ] && set -- "$@" -ts "$SIGN_TIMESTAMP_URL"
osslsigncode sign "$@" -in "$file" -out "$file.signed" >/dev/null
mv "$file.signed" "$file"
