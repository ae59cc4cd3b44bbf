#!/usr/bin/env bash
# Installs what is missing, and only that: `install.sh run` for building and running, `install.sh test` for the tests too,
# `install.sh bench` for what is measured against.
# Debian 12 or newer, Ubuntu 24.04 or newer; as root or with sudo. With everything in place it needs no network.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

packages=(
  build-essential pkg-config ca-certificates curl
  clang libclang-dev
  libavcodec-dev libavformat-dev libavfilter-dev libavutil-dev libswscale-dev libswresample-dev
)
[ "${1:-run}" = run ] || packages+=(ffmpeg)
if [ "${1:-run}" = test ]; then
  packages+=(postgresql fonts-noto-cjk python3-venv rclone)
  # Ubuntu's chromium is only a door to a snap; see ensure_browser below.
  grep -q '^ID=ubuntu' /etc/os-release || packages+=(chromium)
fi

installed() { dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 "$@"; }

# The lists have a lock that apt does not wait for.
apt_update() {
  local try
  for try in 1 2 3 4 5 6; do
    apt_get update >&2 && return
    say "软件源没有更新成，10 秒后再试（第 $try 次）……"
    sleep 10
  done
  return 1
}

lists_are_fresh() { [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -7 -print -quit 2>/dev/null)" ]; }

candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\?\([0-9.]*\).*/\2/p'; }

apt_install() {
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} = 0 ] && return
  say "安装系统软件包：${missing[*]}"
  lists_are_fresh || apt_update || die "软件源连不上。请检查网络，再运行一次。"
  apt_get install --no-install-recommends "${missing[@]}" >&2 && return
  # Old lists name packages that are gone.
  if apt_update && apt_get install --no-install-recommends "${missing[@]}" >&2; then return; fi
  die "这些软件包没装上：${missing[*]}。上面是 apt 的原话；解决后再运行一次。"
}

ensure_rust() {
  local needed
  needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  rust_is_enough "$needed" && return
  say "安装 Rust $needed 以上（需要几分钟）"
  if ! have rustup; then
    lists_are_fresh || apt_update || true
    if [ -n "$(candidate rustup)" ]; then
      apt_install rustup
    else
      curl --proto '=https' --tlsv1.2 --silent --show-error --fail --retry 3 https://sh.rustup.rs |
        sh -s -- -y --no-modify-path --profile minimal --default-toolchain none >&2 ||
        die "Rust 没装上：连不上官方安装程序。请自己装好 Rust $needed 或更新的版本（cargo 在 PATH 里），再运行一次。"
      PATH=$HOME/.cargo/bin:$PATH
    fi
  fi
  # For this folder only: what other projects of this person use stays as it is.
  rustup toolchain install stable --profile minimal --component rustfmt --component clippy >&2 ||
    die "Rust 工具链没下载下来。网络不通时可以设 RUSTUP_DIST_SERVER 指向就近的镜像，再运行一次。"
  rustup override set stable >&2
  rust_is_enough "$needed" || die "装好的 Rust 还是比 $needed 旧。请运行 rustup update stable，再运行一次。"
}

rust_is_enough() {
  have cargo && have rustc && version_at_least "$1" "$(rustc --version 2>/dev/null | cut -d' ' -f2)"
}

ensure_rust_lints() {
  cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1 && return
  say "安装 rustfmt 和 clippy"
  rustup component add rustfmt clippy >&2 || die "rustfmt、clippy 没装上。请装好这两样，再运行一次。"
}

ensure_nextest() {
  version_at_least 0.9.100 "$(cargo nextest --version 2>/dev/null | sed -n '1s/cargo-nextest \([0-9.]*\).*/\1/p')" && return
  say "编译 cargo-nextest（并着跑测试；只有第一次，要几分钟）"
  cargo install cargo-nextest --version 0.9.143 --locked >&2 ||
    die "cargo-nextest 没有编译成，上面是 cargo 的原话；解决后再运行一次。"
}

node_is_enough() {
  have node && have npm && version_at_least "$NODE_NEEDED" "$(node --version 2>/dev/null)"
}

# Debian 12 and Ubuntu 24.04 carry an older Node: its npm fetches a newer one, which is itself an npm package.
ensure_node() {
  node_is_enough && return
  lists_are_fresh || apt_update || true
  if ! have npm || version_at_least "$NODE_NEEDED" "$(candidate nodejs)"; then
    apt_install nodejs npm
    hash -r
    node_is_enough && return
  fi
  local arch
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) die "这种处理器（$(uname -m)）要请你自己装好 Node $NODE_NEEDED 以上，再运行一次。" ;;
  esac
  say "安装 Node 22（系统自带的太旧；放在 $NODE_HOME）"
  mkdir -p "$NODE_HOME"
  npm install --prefix "$NODE_HOME" --no-audit --no-fund --loglevel=error "node-linux-$arch@22" npm@10 >&2 ||
    die "Node 没装上。请自己装好 Node $NODE_NEEDED 以上，再运行一次。"
  PATH=$NODE_HOME/node_modules/.bin:$PATH
  hash -r
  node_is_enough || die "Node 装上了却用不了。请删掉 $NODE_HOME，再运行一次。"
}

ensure_browser() {
  scripts/browser.sh >/dev/null 2>&1 && return
  say "安装浏览器（测试用；要能放 H.264 视频）"
  npx --yes playwright-core install chrome >&2 || true
  scripts/browser.sh >/dev/null 2>&1 ||
    die "没有可用的浏览器。请装好 Chromium 或 Google Chrome（不要 snap 版），或用 WEIJIA_CHROMIUM 指出它在哪里，再运行一次。"
}

apt_install "${packages[@]}"
ensure_rust
ensure_node
if [ "${1:-run}" = test ]; then
  ensure_rust_lints
  ensure_nextest
  ensure_browser
fi
