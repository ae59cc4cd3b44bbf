#!/usr/bin/env bash
# Prints the path of a browser that tests can drive, or fails. WEIJIA_CHROMIUM names one by hand.
set -euo pipefail

# A snap is confined away from temporary folders, and Ubuntu's `chromium-browser` package is only a door to one.
usable() {
  local real
  real=$(readlink -f "$1") || return 1
  [[ $real != */snap* ]] && ! grep -qsI '/snap/bin' "$real" && "$1" --version >/dev/null 2>&1
}

for name in "${WEIJIA_CHROMIUM:-}" chromium google-chrome-stable google-chrome chromium-browser; do
  [ -n "$name" ] || continue
  path=$(command -v "$name") || continue
  if usable "$path"; then
    echo "$path"
    exit 0
  fi
done
exit 1
