#!/usr/bin/env bash
# Measures what the platform promises in figures, next to what others do on the same machine: `bench.sh upload [what…]`,
# `bench.sh media [what…]`. BENCH_QUICK=1 takes minutes instead of half an hour and is good for a first look only.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh bench
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
if [ "${1:-}" = media ]; then
  scripts/build.sh
else
  scripts/garage.sh install >/dev/null
  scripts/build.sh bench
fi

target=${CARGO_TARGET_DIR:-target}
# Gigabytes for a moment; all of it below this folder, so one removal cleans up.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/weijia-bench.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

say "开始测（没有别的事在忙的机器上才准）"
status=0
"$target/debug/weijia-bench" "$@" || status=$?
say "做完了，结果也在 $target/bench/ 里"
exit "$status"
