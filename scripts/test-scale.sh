#!/usr/bin/env bash
# Proves the project as a province runs it: a PostgreSQL and a Garage (an S3 cluster) of the tests' own, the same upload
# and storage suites on them that test.sh runs on SQLite and the embedded store, and several servers side by side; and
# two thousand films that were spoiled.
# The last line is `N passed, N failed`.

# shellcheck disable=SC2317 # functions are called through `step`
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh test
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

SUMMARY=${CARGO_TARGET_DIR:-target}/test-scale-summary
# shellcheck source=scripts/steps.sh
source scripts/steps.sh

# The suites by the names of their files.
suite() {
  local files=() name
  for name in "$@"; do
    [ "$name" != -- ] || break
    files+=(--test "$name")
  done
  cargo test --locked --workspace --no-fail-fast "${files[@]}" "${@:$((${#files[@]} / 2 + 1))}"
}

# Nothing can run that was not built.
step "编译" scripts/build.sh test || finish
step "准备 Garage" garage_install || finish

say "启动测试用的 PostgreSQL 和 Garage"
postgres_start
garage_start
WEIJIA_CHROMIUM=$(scripts/browser.sh)
export WEIJIA_CHROMIUM

tests "存储" suite probe || true
tests "上传" suite uploads || true
tests "上传时什么都可能出错" suite faults || true
tests "全程" suite journey -- postgres || true
tests "数据库和桶对账" suite fsck -- postgres || true
tests "别人写的客户端" suite clients || true
tests "断电" suite kills || true
tests "几台一起跑" suite nodes -- --ignored || true
tests "改坏两千条片子" suite mutants -- --ignored || true

say "全部做完"
finish
