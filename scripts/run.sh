#!/usr/bin/env bash
# Installs what is missing, builds, and starts the platform with its demo; the arguments go to `weijia serve`.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh run
# What was just installed may be in a place that PATH did not have.
# shellcheck source=scripts/lib.sh
source scripts/lib.sh
scripts/build.sh

say "启动（第一次会准备演示数据，要等一会儿）"
# The server takes the place of this script, so Ctrl-C reaches it and nothing is left behind.
exec "${CARGO_TARGET_DIR:-target}/debug/weijia" serve --demo "$@" > >(exec node scripts/ready.mjs)
