# shellcheck shell=bash
# A PostgreSQL of the tests' own: in $TMPDIR, on a free port, gone afterwards. A server of the machine is never touched.

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_start() {
  local bin try port
  bin=$(find /usr/lib/postgresql -path '*/bin/initdb' -printf '%h\n' | sort -V | tail -n 1)
  [ -n "$bin" ] || die "找不到 PostgreSQL 的 initdb。"
  PG_BIN=$bin PG_FOLDER=$TMPDIR/postgres
  mkdir -m 700 "$PG_FOLDER"
  [ "$(id -u)" != 0 ] || chown postgres: "$PG_FOLDER"
  (
    cd "$PG_FOLDER" || exit 1
    as_postgres "$bin/initdb" --pgdata="$PG_FOLDER/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
      --no-sync >"$TMPDIR/initdb.log" 2>&1
  ) || die "PostgreSQL 没有初始化成：$(tail -n 3 "$TMPDIR/initdb.log")"
  # A test asks what the database does, not whether the disk keeps it: fsync off.
  for try in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 12000))
    if (
      cd "$PG_FOLDER" || exit 1
      as_postgres "$bin/pg_ctl" --pgdata="$PG_FOLDER/data" --log="$PG_FOLDER/log" --wait --timeout=60 --options="-p $port \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c max_connections=400" start >/dev/null
    ); then
      export TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port
      return
    fi
  done
  die "PostgreSQL 试了 $try 次都没有启动：$(tail -n 3 "$PG_FOLDER/log")"
}

postgres_stop() {
  [ -n "${PG_FOLDER:-}" ] || return 0
  (cd "$PG_FOLDER" && as_postgres "$PG_BIN/pg_ctl" --pgdata="$PG_FOLDER/data" --mode=immediate stop >/dev/null 2>&1) || true
}
