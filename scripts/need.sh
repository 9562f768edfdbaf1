#!/usr/bin/env bash
# Installs what a target needs on Debian, and says what is missing elsewhere.
#   need.sh build   a C compiler and cargo
#   need.sh test    the same; tests start nothing else yet
#   need.sh bench   and tshark, which the decode bench is held against
set -euo pipefail
missing=()
command -v cargo >/dev/null || { echo "telltale: no cargo found: install Rust (https://rustup.rs), then run this again" >&2; exit 1; }
command -v cc >/dev/null || missing+=(gcc libc6-dev)
if [ "${1:-build}" = bench ]; then
    command -v tshark >/dev/null || missing+=(tshark)
fi
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "telltale: please install: ${missing[*]}" >&2
    exit 1
fi
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}"
