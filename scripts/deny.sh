#!/usr/bin/env bash
# Licences, bans, sources and unused dependencies; installs the two tools once.
set -euo pipefail
cd "$(dirname "$0")/.."
DENY=0.20.2
MACHETE=0.9.2
have() { command -v "$1" >/dev/null && "$1" --version 2>/dev/null | grep -qF "$2"; }
have cargo-deny "$DENY" || cargo install --quiet --locked "cargo-deny@$DENY"
have cargo-machete "$MACHETE" || cargo install --quiet --locked "cargo-machete@$MACHETE"
cargo deny --locked --log-level error check licenses bans sources
if [ "${TELLTALE_ADVISORIES:-auto}" = skip ]; then
    echo "deny: advisories skipped (TELLTALE_ADVISORIES=skip)"
elif timeout 60 cargo deny --locked --log-level error fetch db >/dev/null 2>&1; then
    cargo deny --locked --log-level error check advisories
else
    echo "deny: advisories skipped: the RustSec database cannot be fetched from here"
fi
cargo machete
