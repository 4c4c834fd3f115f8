#!/usr/bin/env bash
# Times real frames over the paper's four links, each between two network namespaces, and sets them beside the model (docs/network-time.md).
#
#   bench/links/measure.sh RUN OUT
#
# RUN is a folder of `ecolora run --keep-updates` with baselines; OUT gets links.md and links.json. Needs root, iproute2 and python3; takes
# about ten minutes and wants a quiet machine. A link is two tun devices and delay.py between them; tc's token bucket before each has the rate.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: bench/links/measure.sh RUN OUT" >&2; exit 2; }
run=$1 out=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
ecolora=$here/../../ecolora
latency=0.05
work=$(mktemp -d)
ends=() relays=() namespaces=()

cleanup() {
    for process in "${ends[@]}" "${relays[@]}"; do kill "$process" 2>/dev/null || true; done
    for namespace in "${namespaces[@]}"; do ip netns del "$namespace" || true; done
    rm -rf "$work"
}
trap cleanup EXIT

# Room of the bucket: a packet, and what passes in 2 ms, by which a timer may be late. Its queue: 30 kB and a quarter of a second.
limit() { # NAMESPACE DEVICE MBPS
    tc -n "$1" qdisc add dev "$2" root tbf rate "$3"mbit burst "$(awk "BEGIN { print int(1540 + $3 * 250) }")" \
        limit "$(awk "BEGIN { print int(30000 + $3 * 1e6 / 8 / 4) }")"
}

link() { # NUMBER UP DOWN
    local hub=ecohub$1 site=ecosite$1
    ip netns add "$hub"
    namespaces+=("$hub")
    ip netns add "$site"
    namespaces+=("$site")
    python3 "$here/delay.py" $latency "tunhub$1" "$hub" "tunsite$1" "$site" &
    relays+=($!)
    until ip -n "$site" link show "tunsite$1" up 2>/dev/null | grep -q tunsite; do
        kill -0 "${relays[-1]}" 2>/dev/null || { echo "measure.sh: the delay did not start" >&2; exit 1; }
        sleep 0.1
    done
    ip -n "$hub" addr add 10.9.0.1/30 dev "tunhub$1"
    ip -n "$site" addr add 10.9.0.2/30 dev "tunsite$1"
    limit "$hub" "tunhub$1" "$3"
    limit "$site" "tunsite$1" "$2"
    ip netns exec "$hub" "$ecolora" bench links hub --listen 10.9.0.1:7000 --updates "$run/updates" &
    ends+=($!)
    ip netns exec "$site" "$ecolora" bench links site --connect 10.9.0.1:7000 --link "$2/$3" --updates "$run/updates" --out "$work/$1.json" &
    ends+=($!)
}

"$ecolora" --version >/dev/null
link 1 0.2 1
link 2 1 5
link 3 2 10
link 4 5 25
for end in "${ends[@]}"; do wait "$end"; done
"$ecolora" bench links table --rows "$work/1.json" --rows "$work/2.json" --rows "$work/3.json" --rows "$work/4.json" --report "$run/report.json" --out "$out"
