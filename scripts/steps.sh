# shellcheck shell=bash
# What test.sh and test-scale.sh share: steps whose tests are counted, and a folder of their own that goes away.
# To be sourced after lib.sh, with SUMMARY set to the file that takes the last line.

export CI=true NO_COLOR=1
mkdir -p "$(dirname "$SUMMARY")"
rm -f "$SUMMARY"
# Everything a test writes is below this folder, so one removal cleans up after all of them.
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/weijia-test.XXXXXX")
chmod 755 "$TMPDIR"
export TMPDIR
# shellcheck source=scripts/postgres.sh
source scripts/postgres.sh
# shellcheck source=scripts/garage.sh
source scripts/garage.sh
cleanup() {
  postgres_stop
  garage_stop
  rm -rf "$TMPDIR"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

passed=0 failed=0

# Runs one step; what it prints is shown, and its tests are counted from it. A step that fails without running a test
# counts as one failure.
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

# A step made of tests: if it runs none at all, that is a failure.
tests() {
  local before=$passed
  step "$@" || return
  if [ "$passed" = "$before" ]; then
    failed=$((failed + 1))
    say "✗ $1：一项检验也没有跑"
    return 1
  fi
}

# Reads the closing lines of nextest (`Summary [ 9.1s] 9 tests run: 7 passed (2 slow), 2 failed, 1 skipped`), of vitest
# (`Tests  1 failed | 6 passed (7)`) and of node's test runner (`# pass 7`, `ℹ fail 0`).
count() {
  sed 's/\x1b\[[0-9;]*m//g' | awk '
    function before(word,   i) { for (i = 2; i <= NF; i++) if ($i ~ "^" word "[;,]?$") return $(i - 1); return 0 }
    /^ *Summary \[/ || /^ *Tests  / { ok += before("passed"); bad += before("failed") }
    /^(#|ℹ) pass [0-9]+$/ { ok += $3 }
    /^(#|ℹ) fail [0-9]+$/ { bad += $3 }
    END { print ok + 0, bad + 0 }'
}

# The Rust tests that the arguments of nextest choose, from all binaries at once: those that wait hold up none of the others.
nextest() { cargo nextest run --locked --workspace --no-fail-fast "$@"; }

# The last line: `N passed, N failed`.
finish() {
  echo "$passed passed, $failed failed" | tee "$SUMMARY"
  [ "$failed" = 0 ] || exit 1
  exit 0
}
