#!/usr/bin/env bash
# A Garage of the tests' own (https://garagehq.deuxfleurs.fr): an S3 cluster of one node, in $TMPDIR, on free ports, gone
# afterwards. Its crates are not part of the product; it is built once, by cargo, and kept in the cache folder.
# To be sourced after lib.sh, or run: `scripts/garage.sh start FOLDER` for a test that kills it, `serve FOLDER` for one in
# the foreground, `install` for the path of the program.

GARAGE_VERSION=2.5.0
GARAGE_ROOT=${XDG_CACHE_HOME:-$HOME/.cache}/weijia/garage-$GARAGE_VERSION
GARAGE=$GARAGE_ROOT/bin/garage

garage_install() {
  [ ! -x "$GARAGE" ] || return 0
  mkdir -p "$GARAGE_ROOT"
  (
    # Whoever comes second waits, and finds it done.
    flock 9
    [ ! -x "$GARAGE" ] || exit 0
    say "编译 Garage $GARAGE_VERSION（测试用的 S3 集群；只有第一次，要十来分钟）"
    # The folder stays when this is interrupted, so that the next run goes on from there.
    cargo install garage --version "$GARAGE_VERSION" --locked --no-default-features \
      --features bundled-libs,lmdb,sqlite --root "$GARAGE_ROOT" --target-dir "$GARAGE_ROOT/build" --no-track >&2 ||
      die "Garage 没有编译成，上面是 cargo 的原话；解决后再运行一次，会接着编译。"
    rm -rf "$GARAGE_ROOT/build"
  ) 9>"$GARAGE_ROOT/lock"
}

# Writes FOLDER/garage.toml, and FOLDER/env with what a client needs to know.
garage_configure() {
  local folder=$1 port
  port=$((20000 + RANDOM % 12000))
  mkdir -p "$folder"
  # A test asks what the store does, not whether the disk keeps it: fsync stays off, as it is by default.
  cat >"$folder/garage.toml" <<EOF
metadata_dir = "$folder/meta"
data_dir = "$folder/data"
db_engine = "lmdb"
replication_factor = 1
compression_level = "none"
rpc_bind_addr = "127.0.0.1:$((port + 1))"
rpc_public_addr = "127.0.0.1:$((port + 1))"
rpc_secret = "$(random_hex 32)"

[s3_api]
api_bind_addr = "127.0.0.1:$port"
s3_region = "us-east-1"
EOF
  cat >"$folder/env" <<EOF
TEST_S3_ENDPOINT=http://127.0.0.1:$port
TEST_S3_ACCESS_KEY=GK$(random_hex 12)
TEST_S3_SECRET_KEY=$(random_hex 32)
EOF
}

random_hex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# In place of this shell, so that its process id is Garage's.
garage_serve() {
  local folder=$1
  [ -e "$folder/env" ] || garage_configure "$folder"
  # shellcheck disable=SC1091
  source "$folder/env"
  # This key may make buckets.
  GARAGE_DEFAULT_ACCESS_KEY=$TEST_S3_ACCESS_KEY GARAGE_DEFAULT_SECRET_KEY=$TEST_S3_SECRET_KEY \
    GARAGE_DEFAULT_BUCKET=default RUST_LOG=${RUST_LOG:-warn} \
    exec "$GARAGE" -c "$folder/garage.toml" server --single-node --default-bucket
}

# Whoever knows the node's key is ours; and its S3 refuses a stranger, so it listens.
garage_answers() {
  timeout 20 "$GARAGE" -c "$1/garage.toml" bucket info default >/dev/null 2>&1 &&
    # shellcheck disable=SC1091
    (source "$1/env" && curl --silent --noproxy '*' --max-time 5 "$TEST_S3_ENDPOINT") | grep -q AccessDenied
}

# Starts one in FOLDER ($TMPDIR/garage unless named), or the one that was there again, and waits until it answers. Exports
# TEST_S3_ENDPOINT, TEST_S3_ACCESS_KEY and TEST_S3_SECRET_KEY; its process id is in FOLDER/pid.
garage_start() {
  local folder=${1:-$TMPDIR/garage} try new='' late
  for try in 1 2 3 4 5; do
    [ -e "$folder/env" ] || { new=yes && garage_configure "$folder"; }
    (garage_serve "$folder") >"$folder/log" 2>&1 &
    echo $! >"$folder/pid"
    late=$((SECONDS + 120))
    # Until it answers, or has ended, or somebody else has the port (with that it may go on living, and serve nothing).
    while kill -0 $! 2>/dev/null && ! grep -qs 'already in use' "$folder/log"; do
      if garage_answers "$folder"; then
        set -a
        # shellcheck disable=SC1091
        source "$folder/env"
        set +a
        return
      fi
      # One that hangs would not stop when asked, either.
      [ $SECONDS -lt $late ] || kill -9 $!
      sleep 0.1
    done
    garage_stop "$folder"
    # What it keeps is known by its address, so only a new one may move.
    [ -z "$new" ] || rm "$folder/env"
    sleep 0.2
  done
  die "Garage 试了 $try 次都没有启动：$(tail -n 3 "$folder/log")"
}

garage_stop() {
  local pid
  pid=$(cat "${1:-$TMPDIR/garage}/pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  # shellcheck source=scripts/lib.sh
  source "$(dirname "$0")/lib.sh"
  case ${1:-} in
    install) garage_install && echo "$GARAGE" ;;
    serve) garage_install && garage_serve "${2:?FOLDER}" ;;
    start) garage_install && garage_start "${2:?FOLDER}" ;;
    *) die "用法：scripts/garage.sh install | serve 文件夹 | start 文件夹" ;;
  esac
fi
