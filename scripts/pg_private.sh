#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A PostgreSQL cluster of our own in a folder: Unix socket only, no network, trust inside a folder
# that nobody else can enter. Never touches another cluster.
#
#   pg_private.sh start [--test] DIR   makes it if needed and starts it; safe to repeat
#   pg_private.sh stop DIR             stops what `start` started; data stay
#   pg_private.sh url DIR [DBNAME]     prints the connection string (database "poolfleet")
#   pg_private.sh createdb DIR DBNAME  makes a database unless it is there
#   pg_private.sh remove DIR           stops it and removes all of it
#
# --test: no fsync; data may be lost with the machine, not with the process.
# PostgreSQL refuses to run as root, so root hands it to the user "postgres". That user cannot
# enter every folder (/root), and a socket's path is limited to 107 bytes: the data and the socket
# then lie in folders made with mktemp, remembered in DIR/data.path and DIR/socket.path.
set -eu

fail() { echo "pg_private: $*" >&2; exit 1; }

find_bin() {
    if [ -n "${POOLFLEET_PG_BIN:-}" ]; then echo "$POOLFLEET_PG_BIN"; return; fi
    for d in /usr/lib/postgresql/15/bin $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn); do
        if [ -x "$d/pg_ctl" ]; then echo "$d"; return; fi
    done
    p=$(command -v pg_ctl) || fail "could not find pg_ctl: install postgresql, or set POOLFLEET_PG_BIN"
    dirname "$p"
}

as_pg() {
    # From a folder that user may enter, so that nothing complains about the present one.
    if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else (cd / && "$@"); fi
}

# A folder the server's user may use: DIR/NAME if it can get there, else one made elsewhere.
folder() { # NAME PARENT
    if [ -s "$DIR/$1.path" ]; then
        p=$(cat "$DIR/$1.path")
        [ -d "$p" ] && { echo "$p"; return; }
    fi
    if [ "$1" = data ]; then
        mkdir -p "$DIR/data"
        [ "$(id -u)" != 0 ] || chown postgres "$DIR/data"
        chmod 700 "$DIR/data"
        if as_pg test -w "$DIR/data" 2>/dev/null && as_pg ls "$DIR/data" >/dev/null 2>&1; then
            p=$DIR/data
        else
            rmdir "$DIR/data"
            p=
        fi
    else
        p=
    fi
    if [ -z "$p" ]; then
        p=$(mktemp -d "$2/pfpg.XXXXXX")
        [ "$(id -u)" != 0 ] || chown postgres "$p"
        chmod 700 "$p"
    fi
    echo "$p" > "$DIR/$1.path"
    echo "$p"
}

url() {
    [ -s "$DIR/socket.path" ] || fail "could not read \"$DIR/socket.path\": start it first"
    echo "postgresql:///${1:-poolfleet}?host=$(cat "$DIR/socket.path")&port=5432&user=postgres"
}

running() { [ -s "$DIR/data.path" ] && as_pg "$BIN/pg_ctl" -D "$(cat "$DIR/data.path")" status >/dev/null 2>&1; }

start() {
    mkdir -p "$DIR"
    chmod 700 "$DIR" 2>/dev/null || :
    if running; then
        as_pg "$BIN/psql" -X -q -d "$(url postgres)" -c 'SELECT 1' >/dev/null || fail "the server in \"$DIR\" runs but does not answer"
        return 0
    fi
    if [ "$(id -u)" = 0 ] && ! id postgres >/dev/null 2>&1; then
        fail "could not start as root: there is no user \"postgres\" (Debian's package makes it)"
    fi
    data=$(folder data /var/tmp)
    sock=$(folder socket /tmp)
    [ ${#sock} -le 90 ] || fail "the socket's path is too long: $sock"
    if [ ! -s "$data/PG_VERSION" ]; then
        as_pg "$BIN/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C ${TEST:+--no-sync} >"$DIR/initdb.log" 2>&1 ||
            { cat "$DIR/initdb.log" >&2; fail "could not make a cluster in \"$data\""; }
    fi
    opts="-c listen_addresses= -c port=5432 -c unix_socket_directories=$sock -c unix_socket_permissions=0700"
    opts="$opts -c timezone=UTC -c log_timezone=UTC -c max_connections=100 -c shared_buffers=128MB -c log_min_duration_statement=5s"
    if [ -n "$TEST" ]; then
        opts="$opts -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_wal_size=256MB"
    fi
    # The server's user may not be able to write into DIR; the log is opened here and handed down.
    if ! as_pg "$BIN/pg_ctl" -D "$data" -w -t 60 -s -o "$opts" start >>"$DIR/postgres.log" 2>&1; then
        tail -n 20 "$DIR/postgres.log" >&2
        fail "could not start the server; see \"$DIR/postgres.log\""
    fi
    as_pg "$BIN/psql" -X -q -d "$(url postgres)" -tAc "SELECT 1 FROM pg_database WHERE datname = 'poolfleet'" | grep -q 1 ||
        as_pg "$BIN/createdb" -h "$sock" -p 5432 -U postgres poolfleet
    # Root and the socket's owner may enter; a second unprivileged user may not.
}

stop() {
    running || return 0
    as_pg "$BIN/pg_ctl" -D "$(cat "$DIR/data.path")" -m fast -w -t 60 -s stop
}

createdb() {
    as_pg "$BIN/psql" -X -q -d "$(url postgres)" -tAc "SELECT datname FROM pg_database" | grep -qxF "$1" ||
        as_pg "$BIN/createdb" -h "$(cat "$DIR/socket.path")" -p 5432 -U postgres "$1"
}

remove() {
    stop
    for f in "$DIR/data.path" "$DIR/socket.path"; do
        [ ! -s "$f" ] || rm -rf "$(cat "$f")"
    done
    rm -rf "$DIR"
}

TEST=
verb=${1:-}
[ $# -gt 0 ] && shift
[ "${1:-}" = --test ] && { TEST=1; shift; }
DIR=${1:-}
[ -n "$DIR" ] || { sed -n '3,16s/^# \{0,1\}//p' "$0" >&2; exit 2; }
shift
[ "${1:-}" = --test ] && { TEST=1; shift; }
case $verb in
start|stop|createdb|remove) BIN=$(find_bin) ;;
esac
case $DIR in /*) ;; *) DIR=$PWD/$DIR ;; esac
case $verb in
start) start ;;
stop) stop ;;
createdb) createdb "${1:?a database name is wanted}" ;;
remove) remove ;;
url) url "${1:-}" ;;
*) fail "unknown verb \"$verb\"" ;;
esac
