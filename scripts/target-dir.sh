#!/usr/bin/env bash
# Where cargo puts what it builds for this workspace.
set -euo pipefail
if [ -n "${CARGO_TARGET_DIR:-}" ]; then
    printf '%s\n' "$CARGO_TARGET_DIR"
else
    printf '%s/target\n' "$(cd "$(dirname "$0")/.." && pwd)"
fi
