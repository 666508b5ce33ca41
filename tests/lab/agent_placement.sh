#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the agents plan is what the kernel counts, link by link, and what tshark sees in each packet.
. "$(dirname "$0")/agent_common.sh"
. "$(dirname "$0")/placement_common.sh"
command -v tshark >/dev/null || skip "tshark is not installed"
command -v tcpdump >/dev/null || skip "tcpdump is not installed"

# An AlltoAll of all hosts.
JOB=$WORK/all.yaml
all_job() { # ALGORITHM
    printf 'version: 1\njob: all\nalgorithm: %s\nranks: all\ncollectives:\n  - {type: alltoall, bytes: %d}\n' \
        "$1" $((8 * QPS * MTU * PACKETS)) >"$JOB"
    ctl h0 job submit "$JOB" >"$WORK/submit" || {
        cat "$WORK/submit"
        exit 1
    }
    "$SIM" plan --fabric "$FABRIC" --job "$JOB" --json >"$WORK/plan"
    check "$1: every host knows the job and steers it" eventually on_all steers_by @ "$1"
}

steers_by() { # HOST ALGORITHM
    steers "$1" 6 && ctl "$1" jobs --json | true_of ".jobs | length == 1 and .[0].algorithm == \"$2\""
}

has_seen() { # HOST PACKETS: its agent has read its NIC since each flow sent that many
    ctl "$1" flows --json | true_of "[.flows[] | select(.steered) | .parts | map(.packets) | add >= $2] | length == 6 and all"
}

concentration() {
    jq '[.[].counted] | max / (add / length)' "$WORK/links"
}

# capture_begin NODE DEVICE FILE: RoCE inside SRv6; capture_end stops the latest.
capture_begin() {
    "$LAB" exec "$1" -- tcpdump -i "$2" -w "$3" --immediate-mode -U -s 200 ip6 2>"$WORK/tcpdump" &
    capture=$!
    eventually grep -q 'listening on' "$WORK/tcpdump"
}
capture_end() {
    kill -INT $capture
    wait $capture
}

# decode FILE FIELD...: of the packets with RoCE data or answers in them, one line each
decode() {
    local file=$1 name
    local -a fields=()
    shift
    for name; do
        fields+=(-e "$name")
    done
    # Port 4791 is RoCEv2 to tshark; nothing else helps it.
    tshark -r "$file" -Y infiniband.bth -T fields -E occurrence=a -E aggregator=, "${fields[@]}" 2>/dev/null
}

share_of() { # FLOW FILTER: what a filter of the plan's paths of that flow says
    jq -r --arg src "${1%>*}" --arg dst "${1#*>}" ".flows[] | select(.src == \$src and .dst == \$dst).paths | $2" "$WORK/plan"
}

shifted() { # SID: after the first node has consumed its uSID
    python3 -c '
import ipaddress, sys
b = ipaddress.IPv6Address(sys.argv[1]).packed
print(ipaddress.IPv6Address(b[:4] + b[6:] + b"\0\0"))' "$1"
}

# One flow, captured where it leaves the host and behind the first switch.
check_capture() { # OUTER-NEXT-HEADER OPTION
    local outer first leaf device sids
    capture_begin h0 eth0 "$WORK/host.pcap"
    send h0 --to h5 --bytes $((QPS * MTU * 4)) --qps $QPS --mtu $MTU --rate 4Mbps --qp-base 64 --unreliable "$2"
    sleep 0.3
    capture_end
    sids=$(share_of 'h0>h5' '.[].sids[]' | sort)
    check "$2: the packets go to the planned SIDs, all of them and no other" equal \
        "$(decode "$WORK/host.pcap" ipv6.dst | cut -d, -f1 | sort -u)" "$sids"
    check "$2: next header, UDP port and queue pairs are decoded" equal \
        "$(decode "$WORK/host.pcap" ipv6.nxt udp.dstport infiniband.bth.destqp | cut -f1 | cut -d, -f1 | sort -u) $(
            decode "$WORK/host.pcap" udp.dstport infiniband.bth.destqp | sort -u | tr '\t\n' ': ')" \
        "$1 4791:0x000040 4791:0x000041 4791:0x000042 4791:0x000043 "
    check "$2: four packets of each queue pair" equal "$(decode "$WORK/host.pcap" infiniband.bth.destqp | wc -l)" $((QPS * 4))
    read -r first leaf device < <(share_of 'h0>h5' '.[0] | "\(.sids[0]) \(.nodes[1]) \(.nodes[2])"')
    capture_begin "$leaf" "$device" "$WORK/leaf.pcap"
    send h0 --to h5 --bytes $((QPS * MTU * 4)) --qps $QPS --mtu $MTU --rate 4Mbps --qp-base 64 --unreliable "$2"
    sleep 0.3
    capture_end
    check "$2: behind $leaf the SID is shifted by one node" equal \
        "$(decode "$WORK/leaf.pcap" ipv6.dst | cut -d, -f1 | sort -u)" "$(shifted "$first")"
}

raise_lab "$FABRIC"
for algorithm in shared ethereal ecmp; do
    all_job $algorithm
    if [ $algorithm != ecmp ]; then
        # An agent evens its paths out as it sees queue pairs for the first time; one packet that moves is 1 %.
        run_all --scale $(jq -n "1 / $PACKETS")
        check "every host has seen its queue pairs" eventually on_all has_seen @ $QPS
    fi
    for family in "--ipv4 20" "--ipv6 40"; do
        read -r option header <<<"$family"
        run_all "$option"
        compare "$header"
        check "$algorithm $option: nothing is lost" equal "$(jq 'map(.lost) | add' "$WORK/flows")" 0
        check "$algorithm $option: 56 flows arrive" equal "$(jq length "$WORK/flows")" 56
        echo "        $algorithm $option: most loaded link to mean $(concentration)"
        if [ $algorithm != ecmp ]; then
            check "every uplink and downlink is within 1 % of the plan" within_1_percent
            check "no link carries more than 1.01 times the mean" between "$(concentration)" 1 1.01
        else
            check "the hash puts what the plan says on each link" as_planned
            check "and collides: most loaded to mean" between "$(concentration)" 1.3 16
        fi
    done
    if [ $algorithm = ethereal ]; then
        check_capture 4 --ipv4
        check_capture 41 --ipv6
    fi
done
"$LAB" down
check "no pins are left" refuses 1 test -e "$PINS"

# ---- three tiers with parallel cables: two carriers, so an SRH

FABRIC=$ROOT/tests/fabrics/lab-three-tier-parallel.yaml
printf 'version: 1\njob: far\nalgorithm: ethereal\nranks: all\ncollectives:\n  - {type: alltoall, bytes: 1MiB}\n' >"$JOB"
"$LAB" up "$FABRIC" --job "$JOB" >"$WORK/up" 2>&1 || {
    cat "$WORK/up"
    exit 1
}
if [ "$("$LAB" status --json | jq .kernel.uA)" = true ]; then
    "$SIM" plan --fabric "$FABRIC" --job "$JOB" --json >"$WORK/plan"
    check "paths between pods have two carriers" equal "$(share_of 'h0>h3' '[.[].sids | length] | unique | .[]')" 2
    capture_begin h0 eth0 "$WORK/far.pcap"
    receive h3 --for 60s
    send h0 --to h3 --bytes 65536 --qps 8 --mtu 1024 --rate 2Mbps --ipv6
    code=$?
    received h3
    check "packets with an SRH arrive" equal "$code $(flow_field recv-h3 delivered_bytes) $(flow_field recv-h3 lost)" \
        "0 65536 0"
    capture_end
    # Reduced: the first carrier is the destination, the SRH holds the second. A queue pair has one path.
    decode "$WORK/far.pcap" ipv6.src ipv6.dst ipv6.nxt ipv6.routing.type ipv6.routing.segleft ipv6.routing.srh.addr |
        awk -F'\t' -v self="$(port_field h0 sid)" '{ split($1, s, ","); split($2, d, ","); split($3, n, ",")
            if (s[1] == self) print d[1], $6, n[1], $4, $5 }' | sort -u >"$WORK/seen"
    share_of 'h0>h3' '.[].sids | join(" ") + " 43 4 1"' | sort -u >"$WORK/planned"
    check "tshark sees only planned carriers, destination and SRH" equal "$(comm -23 "$WORK/seen" "$WORK/planned")" ""
    check "and several of them" between "$(wc -l <"$WORK/seen")" 4 8
else
    echo "skipped three tiers: this kernel has no uA"
fi
verdict
