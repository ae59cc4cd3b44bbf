#!/usr/bin/env bash
# Proves the project as a province runs it: a PostgreSQL and a Garage (an S3 cluster) of the tests' own, the same upload
# and storage suites on them that test.sh runs on SQLite and the embedded store, and several servers side by side; films of
# ten minutes, and two thousand that were spoiled.
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

# Nothing can run that was not built.
step "编译" scripts/build.sh test || finish
step "准备 Garage" garage_install || finish

say "启动测试用的 PostgreSQL 和 Garage"
postgres_start
garage_start
WEIJIA_CHROMIUM=$(scripts/browser.sh)
export WEIJIA_CHROMIUM

tests "存储、上传、全程、对账、别人写的客户端、断电" nextest \
  -E 'test(/^probe::/) or binary(/^(uploads|faults|clients|kills)$/) or (binary(/^(journey|fsck)$/) and test(postgres))' || true
tests "几台一起跑，十分钟的片子" nextest --run-ignored only -E 'binary(/^(nodes|long)$/)' || true
tests "改坏了的两千条片子" nextest --run-ignored only -E 'binary(mutants)' || true

say "全部做完"
finish
