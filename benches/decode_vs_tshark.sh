#!/usr/bin/env bash
# Packets per second of our decoder (one thread, to Arrow rows) and of tshark on
# the same made captures, read whole by both; a packet may give several rows.
# PACKETS and FLOWS change the captures' size.
set -euo pipefail
cd "$(dirname "$0")/.."
packets=${PACKETS:-1000000} flows=${FLOWS:-10000}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo build --quiet --locked --release --package telltale-testkit --examples
bin="${CARGO_TARGET_DIR:-target}/release/examples"
fields=()
for field in frame.number frame.time_epoch ip.src ip.dst tcp.srcport tcp.dstport \
    mbtcp.trans_id mbtcp.unit_id modbus.func_code modbus.reference_num modbus.word_cnt modbus.regval_uint16 \
    dnp3.src dnp3.dst dnp3.al.func dnp3.al.obj \
    s7comm.header.rosctr s7comm.header.pduref s7comm.param.func s7comm.param.item.db \
    enip.command enip.session cip.service cip.class; do
    fields+=(-e "$field")
done
printf '%-8s %14s %14s %8s %16s\n' mix 'tshark p/s' 'telltale p/s' ratio 'telltale rows/s'
for mix in modbus mixed; do
    "$bin/generate" --mix "$mix" --flows "$flows" --packets "$packets" "$folder/$mix.pcap" >&2
    start=$(date +%s.%N)
    read_by_tshark=$(tshark -n -r "$folder/$mix.pcap" -T fields "${fields[@]}" 2>/dev/null | wc -l)
    end=$(date +%s.%N)
    read -r ours rows < <("$bin/decode" "$folder/$mix.pcap" 3)
    awk -v m="$mix" -v n="$read_by_tshark" -v s="$start" -v e="$end" -v o="$ours" -v r="$rows" \
        'BEGIN { t = n / (e - s); printf "%-8s %14.0f %14.0f %7.1fx %16.0f\n", m, t, o, o / t, r }'
    rm "$folder/$mix.pcap"
done
