#!/usr/bin/env bash
# Validates our OCSF output with py-ocsf-models: the goldens, and every file given.
#   telltale replay demo/plant.pcapng --format ocsf --out alerts.jsonl
#   integration-tests/ocsf/validate.sh alerts.jsonl
# The models ignore fields that they do not know; such fields are not checked here.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
VERSION=0.10.0
venv="$root/.tools/ocsf-$VERSION"
if [ ! -e "$venv/done" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "py-ocsf-models==$VERSION"
    touch "$venv/done"
fi
exec "$venv/bin/python" "$here/validate.py" \
    "$root/crates/alert/src/encode/snapshots/telltale_alert__encode__tests__as_ocsf.snap" \
    "$root/crates/alert/tests/snapshots/goldens__as_ocsf.snap" "$@"
