#!/usr/bin/env bash
# Proves the project: format, lints, web, every Rust test on SQLite and on a PostgreSQL of its own, journeys through the
# real server, and the same in a real browser. Nothing is skipped for want of something: that would be a failure.
# The last line is `N passed, N failed`; a step that fails without running a test counts as one failure.

# shellcheck disable=SC2317 # functions are called through `step` and `trap`
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh test
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

export CI=true NO_COLOR=1
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
rm -f "$target/test-summary"
# Everything a test writes is below this folder, so one removal cleans up after all of them.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/weijia-test.XXXXXX")
chmod 755 "$TMPDIR"
export TMPDIR
# shellcheck source=scripts/postgres.sh
source scripts/postgres.sh
cleanup() {
  postgres_stop
  rm -rf "$TMPDIR"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

passed=0 failed=0

# Runs one step; what it prints is shown, and its tests are counted from it.
step() {
  local title=$1 log=$TMPDIR/step.log ok=0 status=0 bad=0
  shift
  say "$title"
  "$@" 2>&1 | tee "$log" || status=$?
  read -r ok bad < <(count <"$log")
  [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
  passed=$((passed + ok)) failed=$((failed + bad))
  [ "$status" = 0 ] || say "✗ $title：没有通过"
  return "$status"
}

# Reads the closing lines of cargo test (`test result: ok. 7 passed; 0 failed; ...`), of vitest
# (`Tests  1 failed | 6 passed (7)`) and of node's test runner (`# pass 7`, `ℹ fail 0`).
count() {
  sed 's/\x1b\[[0-9;]*m//g' | awk '
    function before(word,   i) { for (i = 2; i <= NF; i++) if ($i ~ "^" word "[;,]?$") return $(i - 1); return 0 }
    /^test result: / || /^ *Tests  / { ok += before("passed"); bad += before("failed") }
    /^(#|ℹ) pass [0-9]+$/ { ok += $3 }
    /^(#|ℹ) fail [0-9]+$/ { bad += $3 }
    END { print ok + 0, bad + 0 }'
}

clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
rust_tests() { cargo test --locked --workspace --no-fail-fast; }

finish() {
  echo "$passed passed, $failed failed" | tee "$target/test-summary"
  [ "$failed" = 0 ] || exit 1
  exit 0
}

step "检查 Rust 代码格式" cargo fmt --all --check || true
# Nothing can run that was not built.
step "编译" scripts/build.sh test || finish
step "静态检查 Rust 代码" clippy || true
step "网页单元测试" npm test --prefix web || true

say "启动一个测试用的 PostgreSQL"
postgres_start
WEIJIA_CHROMIUM=$(scripts/browser.sh)
export WEIJIA_CHROMIUM
step "Rust 测试：规则、两种数据库、全程、断电、浏览器" rust_tests || true

say "全部做完"
finish
