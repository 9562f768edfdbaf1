#!/usr/bin/env bash
# The import order of ARCHITECTURE.md: a lower room never imports a higher one,
# and only `engine` names DataFusion. Reads the crates' own manifests.
set -euo pipefail
cd "$(dirname "$0")/.."
declare -A level=([schema]=0 [dissect]=0 [rules]=1 [capture]=1 [engine]=2 [alert]=2 [bus]=3 [partition]=4 [testkit]=0)
bad=0
for manifest in crates/*/Cargo.toml; do
    crate=$(basename "$(dirname "$manifest")")
    [ -n "${level[$crate]:-}" ] || { echo "import-order: $crate has no level in scripts/import-order.sh"; bad=1; continue; }
    # normal and build dependencies only: tests may look up
    deps=$(awk '/^\[/{on=($0=="[dependencies]"||$0=="[build-dependencies]")} on' "$manifest")
    for dep in $(grep -oE '^telltale-[a-z]+' <<<"$deps" | sed 's/telltale-//'); do
        if [ "${level[$dep]}" -gt "${level[$crate]}" ]; then
            echo "import-order: $crate imports $dep, a higher room"; bad=1
        fi
    done
    if [ "$crate" != engine ] && grep -qE '^datafusion' "$manifest"; then
        echo "import-order: $crate names DataFusion; only engine may"; bad=1
    fi
done
if grep -qE '^(arrow|telltale-schema|tokio)' crates/dissect/Cargo.toml; then
    echo "import-order: dissect must not know Arrow, the schema or tokio"; bad=1
fi
if grep -oE '^telltale-[a-z]+' crates/bus/Cargo.toml | grep -qv 'telltale-schema'; then
    echo "import-order: bus carries rows; of the house it knows the schema only"; bad=1
fi
exit "$bad"
