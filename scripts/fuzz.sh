#!/usr/bin/env bash
# Runs every fuzz target for N seconds each and prints a line per target.
# Works on the stable toolchain (RUSTC_BOOTSTRAP) or on nightly where there is one.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-600}
jobs=${FUZZ_JOBS:-2}
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz@0.13.2
export RUSTC_BOOTSTRAP=1
log=$(mktemp -d)
run() { # crate target
    local dir=$1 target=$2 out="$log/$2.log" status=0 seeds=()
    # texts begin with texts that people wrote
    case "$dir $target" in
        "crates/rules sigma") seeds=(fuzz/corpus/sigma tests/sigma) ;;
        "crates/rules rule") seeds=(fuzz/corpus/rule ../../rules) ;;
        "crates/partition sql") seeds=(fuzz/corpus/sql ../../rules) ;;
        "crates/rules site") seeds=(fuzz/corpus/site ../../sites) ;;
    esac
    (cd "$dir" && { [ ${#seeds[@]} -eq 0 ] || mkdir -p "${seeds[0]}"; } && cargo fuzz run "$target" "${seeds[@]}" -- -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -print_final_stats=1) >"$out" 2>&1 || status=$?
    local execs cov
    execs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out" | tail -1)
    cov=$(grep -oE 'cov: [0-9]+' "$out" | tail -1)
    printf '%-14s %8ss  %12s runs  %-12s %s\n' "$target" "$seconds" "${execs:-?}" "${cov:-}" \
        "$([ "$status" -eq 0 ] && echo 'no finding' || echo "FINDING (exit $status), see $out")"
    return "$status"
}
export -f run
export log seconds
list=()
for dir in crates/dissect crates/capture crates/rules crates/bus crates/partition; do
    (cd "$dir" && cargo fuzz build >"$log/build.log" 2>&1) || { tail -20 "$log/build.log"; exit 1; }
    for t in $(cd "$dir" && cargo fuzz list); do list+=("$dir $t"); done
done
printf '%s\n' "${list[@]}" | xargs -P "$jobs" -L1 bash -c 'run "$0" "$1"'
