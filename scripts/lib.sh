# shellcheck shell=bash
# What the scripts share: telling a person what happens, and asking the machine what it has.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
STARTED=${STARTED:-$(date +%s)}
export STARTED
cd "$ROOT" || exit 1

# One line per step: the time since the start, then what is being done.
say() {
  local spent=$(($(date +%s) - STARTED))
  printf '\033[1;32m[%02d:%02d]\033[0m %s\n' $((spent / 60)) $((spent % 60)) "$*" >&2
}

die() {
  printf '\033[1;31m停下了：\033[0m%s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least 20.19 v22.1.0
version_at_least() {
  [ "$(printf '%s\n%s\n' "$1" "${2#v}" | sort -V | head -n 1)" = "$1" ]
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "这一步要管理员权限，而这台机器没有 sudo。请换 root 再运行一次：$*"
  fi
}

NODE_NEEDED=20.19
# Where a newer Node goes when the system's is too old.
NODE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}/weijia/node
export NODE_NEEDED NODE_HOME

# Tools that the scripts put in place themselves come first, so that a second run finds them.
[ -d "$HOME/.cargo/bin" ] && PATH=$HOME/.cargo/bin:$PATH
[ -x "$NODE_HOME/node_modules/.bin/node" ] && PATH=$NODE_HOME/node_modules/.bin:$PATH
export PATH
