#!/usr/bin/env bash
# Proves the project: format, lints, web, every Rust test on SQLite and on a PostgreSQL of its own, journeys through the
# real server, and the same in a real browser. Nothing is skipped for want of something: that would be a failure.
# The last line is `N passed, N failed`.

# shellcheck disable=SC2317 # functions are called through `step`
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh test
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

SUMMARY=${CARGO_TARGET_DIR:-target}/test-summary
# shellcheck source=scripts/steps.sh
source scripts/steps.sh

clippy() { cargo clippy --locked --workspace --all-targets -- -D warnings; }

step "检查 Rust 代码格式" cargo fmt --all --check || true
# Nothing can run that was not built.
step "编译" scripts/build.sh test || finish
step "静态检查 Rust 代码" clippy || true
tests "网页单元测试" npm test --prefix web || true

say "启动一个测试用的 PostgreSQL"
postgres_start
WEIJIA_CHROMIUM=$(scripts/browser.sh)
export WEIJIA_CHROMIUM
tests "Rust 测试：规则、两种数据库、全程、断电、浏览器" nextest || true

say "全部做完"
finish
