#!/usr/bin/env bash
# Makes demo/plant.pcapng and the maintenance window of its site again, from nothing.
#
#   sudo demo/make-capture.sh            about 7 minutes: up to 5 until the story may start, 4 for the story
#
# Everything runs in network namespaces that this script makes and removes; no frame leaves them. The hosts speak real
# protocol stacks (versions below). They are test tools of this script: nothing of them is linked or shipped.
# Needs root, Debian's iproute2, ethtool, tcpdump, tshark (for editcap), iputils-arping, python3 (3.11 or newer) with venv.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
work=${TELLTALE_DEMO_WORK:-$(mktemp -d /tmp/telltale-demo.XXXXXX)}
tag=ttd$$                      # prefix of the namespaces: two runs do not meet
venv=$work/venv
out=$here/plant.pcapng
hosts=(scada:10 hist:11 eng:20 plc1:31 plc2:32 plc3:33 rtu1:41 laptop:66)
story_seconds=235
window_end_at=110              # second of the story at which the maintenance window closes

note() { printf '%s %s\n' "$(date -u +%H:%M:%S)" "$*" >&2; }
in_ns() { local h=$1; shift; ip netns exec "$tag-$h" "$@"; }

[[ $EUID -eq 0 ]] || { echo "make-capture.sh: needs root for network namespaces" >&2; exit 1; }

install_tools() {
    local need=()
    command -v ip >/dev/null && command -v tc >/dev/null || need+=(iproute2)
    command -v ethtool >/dev/null || need+=(ethtool)
    command -v tcpdump >/dev/null || need+=(tcpdump)
    command -v editcap >/dev/null || need+=(tshark)
    command -v arping >/dev/null || need+=(iputils-arping)
    python3 -c 'import venv, ensurepip' 2>/dev/null || need+=(python3-venv)
    if ((${#need[@]})); then
        note "installing ${need[*]}"
        apt-get update -q >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -yq "${need[@]}" >/dev/null
    fi
    if [[ ! -x $venv/bin/python ]]; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install -q -r "$here/requirements.txt"
    fi
}

pids=()
down() {
    local p h
    for p in "${pids[@]:-}"; do [[ -n $p ]] && kill "$p" 2>/dev/null || true; done
    for h in "${hosts[@]}" sen:0 sw:0; do ip netns del "$tag-${h%%:*}" 2>/dev/null || true; done
}
trap down EXIT

up() {
    local h name last
    ip netns add "$tag-sw"
    ip netns add "$tag-sen"
    in_ns sw sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    in_ns sen sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "$tag-sw" link add br0 type bridge
    ip -n "$tag-sw" link set br0 up
    # the mirror port: what enters any port of the switch is copied here, so each frame is seen once
    ip -n "$tag-sw" link add mirror type veth peer name mon0 netns "$tag-sen"
    ip -n "$tag-sw" link set mirror up
    ip -n "$tag-sen" link set mon0 up promisc on arp off
    for h in "${hosts[@]}"; do
        name=${h%%:*} last=${h##*:}
        ip netns add "$tag-$name"
        in_ns "$name" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        ip -n "$tag-sw" link add "v$name" type veth peer name eth0 netns "$tag-$name"
        ip -n "$tag-$name" link set eth0 address "$(printf '02:00:0a:14:01:%02x' "$last")"
        ip -n "$tag-$name" link set lo up
        # checksums and frame sizes as on a wire
        in_ns "$name" ethtool -K eth0 tx off tso off gso off gro off >/dev/null 2>&1 || true
        ip -n "$tag-sw" link set "v$name" master br0 up
        ip netns exec "$tag-sw" tc qdisc add dev "v$name" clsact
        ip netns exec "$tag-sw" tc filter add dev "v$name" ingress protocol all u32 match u32 0 0 \
            action mirred egress mirror dev mirror
        # the laptop is not plugged in yet
        [[ $name == laptop ]] && continue
        ip -n "$tag-$name" addr add "10.20.1.$last/24" dev eth0
        ip -n "$tag-$name" link set eth0 up
    done
}

wait_port() {
    local h=$1 addr=$2 port=$3 i
    for i in $(seq 200); do
        in_ns "$h" ss -ltn | grep -q "$addr:$port " && return 0
        sleep 0.1
    done
    echo "make-capture.sh: $h does not listen on $addr:$port; see $work/$h.log" >&2
    exit 1
}

serve() {
    local h=$1; shift
    # the process itself, not a shell around it: it has to be ended by its id
    ip netns exec "$tag-$h" "$@" >"$work/$h.log" 2>&1 &
    pids+=($!)
}

install_tools
up
py=$venv/bin/python
serve plc1 "$py" "$here/plant/plc_modbus.py" 10.20.1.31
serve plc2 "$py" "$here/plant/plc_s7.py" 10.20.1.32
# the parser of this server takes its tags as NAME=TYPE[n]
serve plc3 "$py" -m cpppo.server.enip --no-config -a 10.20.1.33:44818 Pump_Speed_SP=REAL Pump_Speed=REAL Valve_Open=BOOL Flow=REAL[4] Totals=DINT[8]
serve rtu1 "$py" "$here/plant/rtu_dnp3.py" 10.20.1.41
wait_port plc1 10.20.1.31 502
wait_port plc2 0.0.0.0 102
wait_port plc3 10.20.1.33 44818
wait_port rtu1 10.20.1.41 20000

# values to begin with
in_ns scada "$py" -m cpppo.server.enip.client -a 10.20.1.33 'Pump_Speed_SP=(REAL)41.5' 'Pump_Speed=(REAL)41.3' \
    'Flow[0-3]=(REAL)3.1,3.0,2.9,0.0' >"$work/cip-init.log" 2>&1 || true

# The story starts so that the maintenance window closes at a full five minutes of the clock.
now=$(date +%s)
start=$(( (now + window_end_at + 8 + 299) / 300 * 300 - window_end_at ))
window_end=$(( start + window_end_at ))
note "the story starts at $(date -u -d @$start +%H:%M:%S) UTC, in $((start - now)) s"
sleep $(( start - 2 - $(date +%s) > 0 ? start - 2 - $(date +%s) : 0 ))

raw=$work/plant.pcap
ip netns exec "$tag-sen" tcpdump -i mon0 -w "$raw" --immediate-mode -U --time-stamp-precision=nano -s 0 2>"$work/tcpdump.log" &
pids+=($!); tcpdump_pid=$!
sleep 1

play() { local h=$1 s=$2; ip netns exec "$tag-$h" "$py" "$here/plant/$s" "$start" >"$work/$s.log" 2>&1 & pids+=($!); }
play scada scada.py
play hist historian.py
play eng engineer.py
# The laptop comes with an address that the historian already has, is noticed, and takes another.
(
    sleep $(( start + 122 - $(date +%s) ))
    in_ns laptop sysctl -qw net.ipv4.conf.eth0.arp_notify=1
    ip -n "$tag-laptop" addr add 10.20.1.11/24 dev eth0
    ip -n "$tag-laptop" link set eth0 up
    sleep 1.5
    ip -n "$tag-laptop" addr flush dev eth0
    in_ns hist arping -q -c 1 -U -I eth0 10.20.1.11     # the historian defends its address (RFC 5227)
    sleep 1.5
    ip -n "$tag-laptop" addr add 10.20.1.66/24 dev eth0
    in_ns laptop arping -q -c 1 -U -I eth0 10.20.1.66
) >"$work/plug.log" 2>&1 &
pids+=($!)
play laptop laptop.py

sleep $(( start + story_seconds - $(date +%s) ))
kill "$tcpdump_pid"
wait "$tcpdump_pid" || true

editcap -F pcapng "$raw" "$out"

# The window of the engineer's work, in the site's own time zone.
zone=$(sed -n 's/^ *time_zone *= *"\(.*\)".*/\1/p' "$root/sites/demo/site.toml")
sed -e "s/@FROM@/$(TZ=$zone date -d @$((window_end - 7200)) +%Y-%m-%dT%H:%M:%S)/" \
    -e "s/@UNTIL@/$(TZ=$zone date -d @$window_end +%Y-%m-%dT%H:%M:%S)/" \
    "$here/plant/maintenance.yaml.in" >"$root/sites/demo/calendars/maintenance.yaml"

note "$out: $(stat -c %s "$out") bytes; logs in $work"
