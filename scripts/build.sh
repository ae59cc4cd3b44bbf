#!/usr/bin/env bash
# Builds the web pages, then the programs that carry them. `build.sh test` builds the tests as well,
# `build.sh bench` fetches what is measured against.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# npm ci only when the lock file changed since the last one.
packages() {
  local stamp=$1/node_modules/.weijia-lock
  cmp -s "$1/package-lock.json" "$stamp" && return
  say "安装网页用的软件包（$1）"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error >&2
  cp "$1/package-lock.json" "$stamp"
}

packages web
if [ "${1:-}" = test ]; then
  packages tests/browser
  packages tests/clients
  scripts/clients.sh
fi
[ "${1:-}" != bench ] || packages bench/peer

# The pages are part of the program, so building them again when nothing changed would rebuild it too.
changed() {
  [ ! -e web/dist/index.html ] ||
    [ -n "$(find web \( -path web/node_modules -o -path web/dist -o -path web/src/api/schema.d.ts \) -prune \
      -o -type f -newer web/dist/index.html -print -quit)" ]
}
if ! changed; then
  say "网页没有变，不用重新编译"
else
  say "检查并编译网页"
  npm run --prefix web build >&2
fi

if [ "${1:-}" = test ]; then
  say "编译程序和测试（第一次要十几分钟）"
  cargo build --locked --workspace --all-targets
else
  say "编译程序（第一次要十分钟左右，以后很快）"
  cargo build --locked --workspace
fi
