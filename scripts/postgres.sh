#!/usr/bin/env bash
# A private PostgreSQL server for tests: made, started, killed and removed. See --help.
set -Eeuo pipefail

readonly least_postgres=15

usage() {
    cat <<'HELP'
usage: scripts/postgres.sh find
       scripts/postgres.sh start|restart|kill|remove FOLDER

A PostgreSQL server on loopback, at a free port, with a password of its own and durable settings.

  find     print the folder of the newest PostgreSQL's programs, 15 or later; fail if there is none
  start    make a server below FOLDER, which must not exist yet, start it and print its URL
  restart  start the server of FOLDER again at the same port
  kill     end it without a word: kill -9 of its first process, then of all others
  remove   stop it and remove FOLDER

SEALPOST_POSTGRES_BUFFERS and SEALPOST_POSTGRES_LOG say how much of the database a server keeps in
its memory and how long its log grows between checkpoints: 64MB and 512MB, unless they are set.
HELP
}

give_up() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The folders where `initdb` and `postgres` may be. Debian does not put them on the PATH.
candidates() {
    local program
    program=$(command -v postgres || true)
    [ -z "$program" ] || dirname "$(readlink -f "$program")"
    pg_config --bindir 2>/dev/null || true
    printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/local/pgsql/bin \
        /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin
}

# Prints the major version of the server in a folder, if there is a whole one.
version_in() {
    [ -x "$1/postgres" ] && [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] || return 0
    "$1/postgres" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p'
}

find_programs() {
    local folder version best="" newest=0
    while read -r folder; do
        version=$(version_in "$folder")
        if [ -n "$version" ] && [ "$version" -ge "$least_postgres" ] &&
            [ "$version" -gt "$newest" ]; then
            newest=$version best=$folder
        fi
    done < <(candidates)
    [ -n "$best" ] && echo "$best"
}

# PostgreSQL refuses to run as root: an account without rights takes it over.
account() {
    local name
    [ "$(id -u)" -eq 0 ] || return 0
    for name in postgres nobody; do
        if id -u "$name" >/dev/null 2>&1; then
            echo "$name"
            return 0
        fi
    done
    give_up "PostgreSQL does not run as root, and there is neither an account postgres nor nobody"
}

# as_account PROGRAM [ARGUMENT ...]
as_account() {
    local name
    name=$(account)
    if [ -z "$name" ]; then
        "$@"
    elif command -v setpriv >/dev/null 2>&1; then
        setpriv --reuid "$name" --regid "$(id -g "$name")" --clear-groups "$@"
    else
        su -s /bin/sh "$name" -c 'exec "$0" "$@"' -- "$@"
    fi
}

# A port that nobody has at this moment.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

random_word() {
    od -An -N 16 -t x1 /dev/urandom | tr -d ' \n'
}

# The folder of the socket. Its path must fit into a socket's address, of about a hundred characters.
sockets_in() {
    [ "${#1}" -gt 80 ] || echo "$1"
}

write_settings() {
    cat >>"$1/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $2
unix_socket_directories = '$(sockets_in "$1")'
fsync = on
synchronous_commit = on
full_page_writes = on
# Many tests run at the same time, each with a few connections.
max_connections = 400
shared_buffers = ${SEALPOST_POSTGRES_BUFFERS:-64MB}
max_wal_size = ${SEALPOST_POSTGRES_LOG:-512MB}
log_line_prefix = '%m [%p] %d '
SETTINGS
}

launch() {
    # Nothing of ours may stay open in the server: whoever reads our output waits for its end.
    as_account "$programs/pg_ctl" start --silent --wait --timeout 60 --pgdata "$1/data" \
        --log "$1/log" </dev/null >/dev/null 2>&1
}

start() {
    local folder=$1 password port
    [ ! -e "$folder" ] || give_up "$folder exists"
    mkdir -p "$folder"
    password=$(random_word)
    if [ -n "$(account)" ]; then
        chown "$(account)" "$folder"
        as_account test -w "$folder" ||
            give_up "the account $(account), as which PostgreSQL has to run, cannot reach $folder"
    fi
    chmod 0700 "$folder"
    (umask 077 && echo "$password" >"$folder/password")
    [ -z "$(account)" ] || chown "$(account)" "$folder/password"
    as_account "$programs/initdb" --pgdata "$folder/data" --username sealpost --encoding UTF8 \
        --locale C --auth password --pwfile "$folder/password" --no-sync >"$folder/initdb.log" ||
        give_up "initdb failed; see $folder/initdb.log"
    for _ in 1 2 3; do
        # Somebody else may take the port before the server does.
        port=$(free_port)
        write_settings "$folder" "$port"
        if launch "$folder"; then
            echo "postgres://sealpost:$password@127.0.0.1:$port/postgres" | tee "$folder/url"
            return 0
        fi
    done
    tail -n 20 "$folder/log" >&2
    give_up "PostgreSQL did not start"
}

restart() {
    # After a kill it replays its log; processes of the killed one may take a moment to be gone.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        launch "$1" && return 0
        sleep 0.2
    done
    tail -n 20 "$1/log" >&2
    give_up "PostgreSQL did not start again"
}

# The processes that a process has started.
children() {
    if [ -r "/proc/$1/status" ]; then
        grep -l "^PPid:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null | cut -d / -f 3
    else
        pgrep -P "$1"
    fi
}

kill_all() {
    local first others
    first=$(head -n 1 "$1/data/postmaster.pid")
    others=$(children "$first" | tr '\n' ' ' || true)
    kill -9 "$first"
    # shellcheck disable=SC2086  # several numbers on purpose
    [ -z "$others" ] || kill -9 $others 2>/dev/null || true
}

remove() {
    [ -d "$1" ] || return 0
    if [ -s "$1/data/postmaster.pid" ]; then
        as_account "$programs/pg_ctl" stop --silent --mode immediate --pgdata "$1/data" \
            >/dev/null 2>&1 || true
    fi
    rm -rf "$1"
}

programs=$(find_programs) || programs=""
case ${1:-} in
    find) [ -n "$programs" ] && echo "$programs" && exit 0 || exit 1 ;;
    start | restart | kill | remove) [ $# -eq 2 ] || { usage >&2 && exit 2; } ;;
    --help | -h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
esac
[ -n "$programs" ] ||
    give_up "there is no PostgreSQL $least_postgres or later (looked for initdb, postgres and pg_ctl)"
# pg_ctl changes into nowhere, but needs a working directory that its account may read.
case $2 in
    /*) folder=$2 ;;
    *) folder=$PWD/$2 ;;
esac
cd /
case $1 in
    start) start "$folder" ;;
    restart) restart "$folder" ;;
    kill) kill_all "$folder" ;;
    remove) remove "$folder" ;;
esac
