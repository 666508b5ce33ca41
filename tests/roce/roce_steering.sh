#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Real RoCEv2 between two machines, steered by real agents:  roce_steering.sh BIN ROOT DRIVER
# Judges are the counters of the kernel's links and of the RDMA stack, and tshark on what was on the wire.
. "$(dirname "$0")/roce_common.sh"
# shellcheck source=/dev/null
. "$HERE/driver_$3.sh"
said=''

# ---- load

# A perftest between the guests: load_begins, and load_ends, which is 0 when both ends are content.
load_begins() { # FAMILY SERVER PROGRAM OPTION...
    local family=$1 server=$2
    shift 2
    rm -f "$WORK/guest1/serving"
    order 1 "serve $family $*"
    server_order=$ORDER
    eventually server_begun || return
    [ -e "$WORK/guest1/serving" ] || {
        tail -n 5 "$WORK/guest1/$server_order.out"
        return 1
    }
    order 0 "send $family $server $*"
    client_order=$ORDER
}

server_begun() { # or ended
    [ -e "$WORK/guest1/serving" ] || [ -e "$WORK/guest1/$server_order.rc" ]
}

load_ends() { # SECONDS
    local code=0
    order_ended 0 "$client_order" "$1" >"$WORK/client" 2>&1 || code=$?
    order_ended 1 "$server_order" 30 >"$WORK/server" 2>&1 || code=$?
    [ $code = 0 ] || {
        tail -n 5 "$WORK/client" "$WORK/server"
        ask 0 "pkill '^ib_'"
        ask 1 "pkill '^ib_'"
    }
    return $code
}

load_runs() {
    [ ! -e "$WORK/guest0/$client_order.rc" ]
}

load_flows() { # [LINK]: packets are on their way
    local link=${1:-"leaf1>h1"} before
    before=$(counter "$link" steered_packets)
    sleep 0.2
    [ "$(counter "$link" steered_packets)" -gt $((before + 20)) ]
}

perftest() { # SECONDS FAMILY SERVER PROGRAM OPTION...
    load_begins "${@:2}" && load_ends "$1"
}

# ---- judgement on two snapshots

zero() { # FROM TO COUNTER...: of both RDMA stacks
    local name number
    for name in "${@:3}"; do
        for number in "${GUESTS[@]}"; do
            equal "$(gained "$1" "$2" ".rdma[$number].$name")" 0 || {
                echo "$name of guest $number"
                return 1
            }
        done
    done
}

nothing_lost() { # FROM TO: what one RDMA stack sent the other received, and the kernel saw all of it steered
    local number other
    between "$(gained "$1" "$2" ".rdma[0].sent_pkts")" 1000 1000000 || return
    for number in "${GUESTS[@]}"; do
        other=$((1 - number))
        equal "$(gained "$1" "$2" ".rdma[$other].rcvd_pkts")" "$(gained "$1" "$2" ".rdma[$number].sent_pkts")" &&
            equal "$(gained "$1" "$2" ".links[\"leaf$number>spine0\"] + .links[\"leaf$number>spine1\"]")" \
                "$(gained "$1" "$2" ".rdma[$number].sent_pkts")" &&
            equal "$(gained "$1" "$2" ".links[\"leaf$other>h$other\"]")" "$(gained "$1" "$2" ".rdma[$number].sent_pkts")" || {
            packets "$1" "$2"
            return 1
        }
    done
}

all_steered() { # FROM TO: no RoCE packet left plain
    equal "$(gained "$1" "$2" '[.nic[].plain_roce] | add')" 0
}

agents_count_the_same() { # FROM TO
    local number spine
    for number in "${GUESTS[@]}"; do
        for spine in spine0 spine1; do
            equal "$(gained "$1" "$2" ".flows[$number].$spine")" "$(gained "$1" "$2" ".links[\"leaf$number>$spine\"]")" || {
                packets "$1" "$2"
                return 1
            }
        done
    done
}

agents_agree() { # FROM NAME: a new snapshot NAME until the agents' counters, which are read now and then, are there
    snapshot "$2" && agents_count_the_same "$1" "$2"
}

# ---- what is on the wire

capture() { # NAME NODE DEVICE FILTER: headers only; until captured
    be_in_node "$2" tcpdump -q -Z root -i "$3" -s 160 -B 16384 -w "$WORK/$1.pcap" "$4" 2>"$WORK/$1.tcpdump" &
    capture_pids+=($!)
    eventually grep -q 'listening on' "$WORK/$1.tcpdump"
}

captured() { # ends all captures
    sleep 0.5
    kill "${capture_pids[@]}"
    wait "${capture_pids[@]}"
    capture_pids=()
}

fields() { # NAME FIELD...: all occurrences of the fields, each combination once
    local name=$1 field
    local -a options=()
    shift
    for field; do
        options+=(-e "$field")
    done
    tshark -r "$WORK/$name.pcap" -T fields -E separator=' ' -E occurrence=a "${options[@]}" 2>/dev/null | sort -u
}

qps_keep_their_spine() {
    local spine
    for spine in spine0 spine1; do
        fields $spine infiniband.bth.destqp >"$WORK/$spine.qps"
        grep -q 0x "$WORK/$spine.qps" || {
            echo "no QP over $spine"
            return 1
        }
    done
    equal "$(cat "$WORK/spine0.qps" "$WORK/spine1.qps" | wc -l)" 4 &&
        equal "$(sort "$WORK/spine0.qps" "$WORK/spine1.qps" | uniq -d)" ""
}

# What the guest's kernel tells of its QPs while they send: nothing but what is seen on the wire.
qps_watched() { # BUILD: begins
    cp "$1/tests/nic_facts" "$WORK/guest0/" || return
    order 0 "exec ./nic_facts qps 90 2>facts.ready"
    facts_order=$ORDER
    eventually grep -q ready "$WORK/guest0/facts.ready"
}

qps_are_known() {
    local sport qp
    ask 0 "pkill '^nic_facts'"
    grep '^{' "$WORK/guest0/$facts_order.out" >"$WORK/facts" || return
    for spine in spine0 spine1; do
        fields $spine udp.srcport infiniband.bth.destqp
    done | while read -r sport qp; do
        [ -z "$qp" ] || echo "$sport $((qp))"
    done | sort -u >"$WORK/wire"
    equal "$(jq -r '"\(.sport) \(.peer)"' "$WORK/facts" | sort -u)" "$(cat "$WORK/wire")" &&
        equal "$(jq -r '"\(.process) \(.destination)"' "$WORK/facts" | sort -u)" "ib_send_bw $IPV6"
}

# Congestion at the spines: whatever is ECN-capable outside gets CE.
mark_at_spines() {
    local spine
    for spine in spine0 spine1; do
        in_node "$spine" nft -f - <<'NFT' || return
table netdev congestion {
    chain in {
        type filter hook ingress device "leaf0" priority 0
        ip6 nexthdr { 4, 41, 43 } ip6 ecn { ect0, ect1 } ip6 ecn set ce
    }
}
NFT
    done
}

marks_end() {
    local spine
    for spine in spine0 spine1; do
        in_node "$spine" nft delete table netdev congestion
    done
}

# ---- moves and failures under load

steers_over() { # HOST SPINES
    equal "$(field "$1" flows '[.flows[].parts[] | select(.state != "plain").nodes[2]] | sort | unique | join(" ")')" "$2"
}

order_link() { # drain|undrain SPINE: for what both hosts send
    ctl h0 link "$1" "leaf0>$2" >/dev/null && ctl h1 link "$1" "leaf1>$2" >/dev/null
}

move() { # SPINES COMMAND...: an order, and what both hosts steer over when it has taken effect
    "${@:2}" && eventually on_all steers_over @ "$1" && moves=$((moves + 1))
}

MOVES=100
ROUNDS=8
# The QPs of one spine go to the other and back, as often as the load lasts; another load where that was not often enough.
moves_under_load() {
    local round
    moves=0
    for ((round = 0; round < ROUNDS && moves < MOVES; round++)); do
        load_begins 6 10.77.0.1 "${WRITE[@]}" -q 4 -D 12 && eventually load_flows || return
        while [ $moves -lt $MOVES ] && load_runs; do
            move spine1 order_link drain spine0 && move "spine0 spine1" order_link undrain spine0 &&
                move spine0 order_link drain spine1 && move "spine0 spine1" order_link undrain spine1 || return
        done
        load_ends 120 || return
    done
    said="$moves moves in $round loads"
    [ $moves -ge $MOVES ]
}

death_under_load() { # of an agent, that starts again
    load_begins 6 10.77.0.1 "${WRITE[@]}" -q 4 -D 15 && eventually load_flows || return
    "$LAB" agent h0 kill && eventually load_flows && "$LAB" agent h0 start && eventually healthy h0 &&
        eventually steers_over h0 "spine0 spine1" || return
    load_runs || {
        echo "the load ended before the agent was there again"
        return 1
    }
    load_ends 120
}

# A spine is gone; its links keep their carriers. Every QP has as much to send, so that none may be left behind.
cut_under_load() {
    load_begins 6 10.77.0.1 "${WRITE[@]}" -u 18 -q 4 -n 800 && eventually load_flows "leaf0>spine0" || return
    "$LAB" cut leaf0 spine0 >/dev/null && "$LAB" cut leaf1 spine0 >/dev/null || return
    eventually on_all steers_over @ spine1 && eventually load_flows || return
    load_runs || {
        echo "the load ended before the flows had moved"
        return 1
    }
    load_ends 200
}

others_pass() { # what is not RoCE
    local steered
    steered=$(field h0 status '[.nic.encapsulated, .nic.decapsulated] | tostring')
    ask 0 "ip neigh flush dev eth0; ip -6 neigh flush dev eth0
        ping -q -c 3 -i 0.3 -W 5 $IPV6 && ping -q -c 3 -i 0.3 -W 5 $IPV4 || exit
        ip -6 neigh show dev eth0 | grep fe80::1 | grep -v FAILED || exit
        for address in $IPV4 $IPV6; do
            timeout 10 bash -c \"exec 3<>/dev/tcp/\$address/9\" 2>&1 | grep refused || exit
        done" || return
    equal "$(field h0 status '[.nic.encapsulated, .nic.decapsulated] | tostring')" "$steered"
}

# ---- the scenario

phase() {
    echo "        ($SECONDS s) $1"
}

prepare() {
    local number
    "$VM" check || exit
    "$VM" image >"$WORK/image" || {
        cat "$WORK/image"
        exit 77
    }
    driver_check
    raise "$FABRIC"
    trap end_all EXIT
    trap 'exit 130' INT TERM HUP PIPE
    for number in "${GUESTS[@]}"; do
        driver_host "$number" || exit 1
    done
    boot_guests
    agents_up && pass_on_by_one && guests_up && ctl h0 job submit "$JOB" >/dev/null || exit 1
    IPV6=$(port_field h1 ipv6) IPV4=$(port_field h1 ipv4)
}

prepare
# DSCP 26, ECT(0). A packet is sent again after 9 s where none is lost, whatever else this machine does; after 1 s where some
# are. Soft-RoCE takes 7 retries, perftest's number, for any number: what is not delivered at last shows as a load that does
# not end.
SEND=(ib_send_bw -m 4096 -s 65536 -t 16 --tclass=106 -u 21)
WRITE=(ib_write_bw -m 4096 -s 65536 -t 16 --tclass=106 -u 21)
check "both hosts steer, over both spines" eventually on_all steers_over @ "spine0 spine1"

phase "what is not RoCE"
check "neighbour discovery, ping and TCP of a guest pass, and are not steered" others_pass

phase "steady state, IPv6"
snapshot a
for spine in spine0 spine1; do
    capture $spine $spine leaf0 "ip6 proto 41"
done
check "QPs of the guest can be learnt" qps_watched "$(dirname "$BIN")"
check "ib_send_bw: 4 QPs over IPv6" perftest 120 6 10.77.0.1 "${SEND[@]}" -q 4 -n 150
captured
check "the agents' flow counters equal the kernel's, spine by spine" eventually agents_agree a b
check "what one RDMA stack sent was steered over the spines and received by the other" nothing_lost a b
check "nothing is out of order, twice or asked for again" \
    zero a b out_of_seq_request duplicate_request rcvd_seq_err completer_retry_err
check "no RoCE packet left plain" all_steered a b
check "every QP keeps to one spine, and both are used" qps_keep_their_spine
check "number, process, destination and source port of each QP are known, and as on the wire" qps_are_known
for spine in spine0 spine1; do
    check "$spine: the outer header's DSCP and ECN are the inner's" \
        equal "$(fields $spine ipv6.tclass)" "0x0000006a,0x0000006a"
done

phase "IPv4, congestion at the spines; what perftest has to say goes through the fabric too, by TCP"
mark_at_spines || exit 1
snapshot a
capture marked h1 "$GUEST_TAP" "src host $(port_field h0 ipv4) and udp dst port 4791"
check "ib_write_bw: 2 QPs over IPv4" perftest 120 4 "$IPV4" "${WRITE[@]}" -q 2 -n 100
captured
check "the agents' flow counters equal the kernel's, spine by spine" eventually agents_agree a b
check "what one RDMA stack sent was steered over the spines and received by the other" nothing_lost a b
check "CE on the outer header arrives on inner IPv4, with its DSCP" equal "$(fields marked ip.dsfield)" 0x6b
snapshot a
capture marked h1 "$GUEST_TAP" "src host $(port_field h0 ipv6) and udp dst port 4791"
check "ib_send_bw: 2 QPs over IPv6" perftest 120 6 10.77.0.1 "${SEND[@]}" -q 2 -n 50
captured
check "CE on the outer header arrives on inner IPv6, with its DSCP" equal "$(fields marked ipv6.tclass)" 0x0000006b
marks_end

phase "$MOVES moves under load"
snapshot a
check "ib_write_bw: 4 QPs while paths move" moves_under_load
echo "        $said"
snapshot b
check "moves lose nothing" nothing_lost a b
check "and let none leave plain" all_steered a b
zero a b out_of_seq_request duplicate_request

phase "kill -9 of an agent under load"
snapshot a
check "ib_write_bw: 4 QPs while an agent is killed and starts again" death_under_load
snapshot b
check "its death and its return lose nothing" nothing_lost a b
check "and let none leave plain" all_steered a b

phase "a spine is cut under load"
snapshot a
check "ib_write_bw: 4 QPs while a spine is cut: both ends are content" cut_under_load
snapshot b
check "no retry was exhausted" zero a b retry_exceeded_err
echo "        lost: $(($(gained a b .rdma[0].sent_pkts) - $(gained a b .rdma[1].rcvd_pkts))) of $(gained a b .rdma[0].sent_pkts)"
"$LAB" heal >/dev/null
check "the flows are back where they belong" eventually on_all steers_over @ "spine0 spine1"
phase "end"
verdict
