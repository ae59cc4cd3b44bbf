#!/usr/bin/env bash
# Installs the Python clients that the tests drive (tuspy, boto3, awscli) into the cache folder, and leaves a link to
# them in tests/clients/python. Once that is done it needs no network.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

requirements=tests/clients/requirements.txt
known=$({ cat "$requirements" && python3 --version; } | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/weijia/clients-$known

install() {
  [ ! -e "$folder/complete" ] || return 0
  say "安装测试用的客户端（tuspy、boto3、awscli；放在 $folder）"
  # What an interrupted run left is not trusted.
  find "$folder" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
  python3 -m venv "$folder/python" >&2
  "$folder/python/bin/pip" install --disable-pip-version-check --no-input --progress-bar off --quiet \
    --requirement "$requirements" >&2 || die "客户端没有装上，上面是 pip 的原话；解决后再运行一次。"
  touch "$folder/complete"
}

mkdir -p "$folder"
# Whoever comes second waits, and finds it done.
exec 9>"$folder/lock"
flock 9
install
ln -sfn "$folder/python" tests/clients/python
