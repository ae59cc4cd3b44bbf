#!/usr/bin/env bash
# Thousands of uploads while everything around them breaks: TORTURE_MINUTES of random bad days (30), TORTURE_KILLS rounds
# of kills at every named point (10), power cuts and full disks; and a build that is broken on purpose, which has to be
# found out; and MUTANTS films with a few bytes otherwise (10000). TORTURE_SEED, TORTURE_UPLOADS and MUTANTS_SEED make the
# same days again. The last line is `N passed, N failed`.

# shellcheck disable=SC2317 # functions are called through `step`
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/install.sh test
# shellcheck source=scripts/lib.sh
source scripts/lib.sh

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
SUMMARY=$target/torture-summary
# shellcheck source=scripts/steps.sh
source scripts/steps.sh

kills() {
  local round
  for ((round = 1; round <= ${TORTURE_KILLS:-10}; round++)); do
    nextest -E 'binary(/^(faults_kills|faults_disk|worker_kills)$/)' || return
  done
}

mutants() { MUTANTS=${MUTANTS:-10000} nextest --run-ignored only --no-capture -E 'binary(mutants)'; }

# The offset as the sum of the parts, whether or not they touch: the same uploads that pass here have to fail there.
broken_build() {
  local copy=$target/broken log=$TMPDIR/broken.log
  rm -rf "$copy" && mkdir -p "$copy/target/debug"
  tar -c --exclude=./target --exclude=node_modules --exclude=./.git --exclude=./data . | tar -x -C "$copy"
  # With a target folder of its own: cargo would take what is built here for what is built there, and the other way round.
  cp -a "$target"/debug/{.fingerprint,build,deps} "$copy/target/debug/"
  patch -d "$copy" -p1 <tests/broken/sum-of-parts.patch
  if CARGO_TARGET_DIR=$copy/target cargo test --locked --workspace --manifest-path "$copy/Cargo.toml" --test faults \
    two_hundred_uploads >"$log" 2>&1; then
    echo "a build that adds up parts went unnoticed"
    rm -rf "$copy"
    return 1
  fi
  rm -rf "$copy"
  # Found out by the oracle, as the damage that it is, and not by failing to build.
  grep 'faults injected' "$log" | grep -m1 -E '[1-9][0-9]* (lost|corrupt|falsely complete|offsets gone back)'
}

step "编译" scripts/build.sh test || finish
postgres_start
tests "在每一步断掉" kills || true
tests "存储在写的时候断二百次" nextest --run-ignored only --no-capture -E 'test(=torture_two_hundred_kills)' || true
step "故意做坏的一版要被看出来" broken_build || true
tests "改坏一万条片子" mutants || true
tests "随机的坏日子" nextest --run-ignored only --no-capture -E 'binary(torture)' || true

say "全部做完"
finish
