#!/usr/bin/env bash
# A PostgreSQL of the tests' own: in $TMPDIR, on a free port, gone afterwards. A server of the machine is never touched.
# To be sourced after lib.sh, or run: `scripts/postgres.sh start FOLDER`, for a test that kills it.

PG_BIN=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' 2>/dev/null | sort -V | tail -n 1)

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_create() {
  local folder=$1
  [ -n "$PG_BIN" ] || die "找不到 PostgreSQL 的 initdb。"
  mkdir -p -m 700 "$folder"
  [ "$(id -u)" != 0 ] || chown postgres: "$folder"
  (
    cd "$folder" || exit 1
    as_postgres "$PG_BIN/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
      --no-sync >"$folder/initdb.log" 2>&1
  ) || die "PostgreSQL 没有初始化成：$(tail -n 3 "$folder/initdb.log")"
}

# Starts one in FOLDER ($TMPDIR/postgres unless named), or the one that was there again, and waits until it answers.
# Exports TEST_POSTGRES_URL; the first line of FOLDER/data/postmaster.pid is its process id.
postgres_start() {
  local folder=${1:-$TMPDIR/postgres} try port
  [ -e "$folder/data/PG_VERSION" ] || postgres_create "$folder"
  # After a kill -9 the last one's children may need a while to notice.
  for try in {1..60}; do
    # Once it has started it stays where it is.
    port=$(cat "$folder/port" 2>/dev/null) || port=$((20000 + RANDOM % 12000))
    # A test asks what the database does, not whether the disk keeps it: fsync off.
    if (
      cd "$folder" || exit 1
      as_postgres "$PG_BIN/pg_ctl" --pgdata="$folder/data" --log="$folder/log" --wait --timeout=60 --options="-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=400" start >/dev/null 2>&1
    ); then
      echo "$port" >"$folder/port"
      export TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port
      return
    fi
    sleep 0.5
  done
  die "PostgreSQL 试了 $try 次都没有启动：$(tail -n 3 "$folder/log")"
}

postgres_stop() {
  local folder=${1:-$TMPDIR/postgres}
  [ -d "$folder/data" ] || return 0
  (cd "$folder" && as_postgres "$PG_BIN/pg_ctl" --pgdata="$folder/data" --mode=immediate stop >/dev/null 2>&1) || true
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  # shellcheck source=scripts/lib.sh
  source "$(dirname "$0")/lib.sh"
  case ${1:-} in
    start) postgres_start "${2:?FOLDER}" ;;
    stop) postgres_stop "${2:?FOLDER}" ;;
    *) die "用法：scripts/postgres.sh start | stop 文件夹" ;;
  esac
fi
