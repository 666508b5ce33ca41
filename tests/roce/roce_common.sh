# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by roce_steering.sh: two hosts of a lab, each with a virtual machine behind a tap.
#
#   guest 0 --- vm0 h0 eth0 --- leaf0 --- spine0, spine1 --- leaf1 --- eth0 h1 vm0 --- guest 1
#
# A guest is a GPU host with an RNIC: it has the inner addresses that the fabric file gives the host's port, and the host is
# the eSwitch that steers what it sends: h0 has an agent, and no address of its own but its uSID.
. "$(dirname "$0")/../lab/agent_common.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
VM=$HERE/vm
FABRIC=$HERE/fabric.yaml
JOB=$HERE/job.yaml
PATIENCE=60
HOSTS=(h0 h1)
GUESTS=(0 1)
VM_SECONDS=560 # a machine's longest life
TAP=vm0        # of the host's kernel towards its guest
MTU=4300       # of the guest's card: 4 KiB of payload
vm_pids=()
capture_pids=()

in_node() { # NODE COMMAND...
    local node=$1
    shift
    nsenter --net="/run/netns/$SRV6_LAB_PREFIX$node" "$@"
}

be_in_node() { # for "&": $! is the program
    exec nsenter --net="/run/netns/$SRV6_LAB_PREFIX$1" "${@:2}"
}

end_all() {
    local pid
    for pid in "${vm_pids[@]}" "${capture_pids[@]}"; do
        kill "$pid" 2>/dev/null
    done
    wait "${vm_pids[@]}" 2>/dev/null
    driver_end
    end_lab
}

# ---- guests

boot_guests() {
    local number other
    for number in "${GUESTS[@]}"; do
        other=$((1 - number))
        mkdir "$WORK/guest$number"
        cp "$HERE/guest_roce.sh" "$WORK/guest$number/"
        printf 'NUMBER=%s IPV6=%s IPV4=%s\n' "$number" "$(port_field "h$number" ipv6)" "$(port_field "h$number" ipv4)" \
            >"$WORK/guest$number/guest.conf"
        be_in_node "h$number" "$VM" run -t $VM_SECONDS -m 1000 \
            -n -netdev -n "tap,id=card,ifname=$GUEST_TAP,script=no,downscript=no" \
            -n -device -n "virtio-net-pci,netdev=card,mac=$(guest_mac "$number"),host_mtu=$MTU,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off" \
            -n -netdev -n "dgram,id=beside,local.type=unix,local.path=$WORK/beside$number,remote.type=unix,remote.path=$WORK/beside$other" \
            -n -device -n "virtio-net-pci,netdev=beside,mac=02:00:00:00:0b:0$number" \
            "$WORK/guest$number" >"$WORK/vm$number" 2>&1 &
        vm_pids+=($!)
    done
}

guest_mac() { # NUMBER
    echo "02:00:00:00:0a:0$1"
}

vm_lives() { # NUMBER
    kill -0 "${vm_pids[$1]}" 2>/dev/null || {
        echo "the machine of guest $1 is gone:"
        cat "$WORK/vm$1" "$WORK/guest$1/qemu" "$WORK/guest$1/console" | tail -n 20
        return 1
    }
}

await_file() { # GUEST FILE SECONDS
    local deadline=$((SECONDS + $3))
    until [ -e "$WORK/guest$1/$2" ]; do
        vm_lives "$1" || return
        [ $SECONDS -lt $deadline ] || {
            echo "guest $1: no $2 after $3 s"
            return 1
        }
        sleep 0.1
    done
}

order_count=0
# order GUEST COMMAND...: begins it there; its name is in $ORDER.
order() {
    ORDER=order$((order_count++))
    printf '. ./guest_roce.sh\n%s\n' "${*:2}" >"$WORK/guest$1/$ORDER.sh"
    echo $ORDER >"$WORK/guest$1/orders.in"
}

order_ended() { # GUEST NAME SECONDS: prints what it said, returns what it returned
    await_file "$1" "$2.rc" "$3" || return
    cat "$WORK/guest$1/$2.out"
    return "$(cat "$WORK/guest$1/$2.rc")"
}

ask() { # GUEST COMMAND...
    order "$@"
    order_ended "$1" $ORDER $PATIENCE
}

guests_up() {
    local number
    for number in "${GUESTS[@]}"; do
        await_file "$number" up 120 && ask "$number" raise_card || return
    done
    # What is first sent to a neighbour is lost until it is found: find it before anything is counted.
    eventually ask 0 "ping -q -c 1 -W 2 $(port_field h1 ipv6) && ping -q -c 1 -W 2 $(port_field h1 ipv4)"
}

# ---- the host between guest and fabric

# The guest has the port's inner addresses, and the host forwards.
forward_for_guest() { # NUMBER
    local host=h$1 ipv4 ipv6 leaf mac
    ipv4=$(port_field "$host" ipv4) ipv6=$(port_field "$host" ipv6)
    leaf=leaf$1
    mac=$(in_node "$leaf" ip -j link show dev "$host" | jq -r '.[0].address')
    in_node "$host" sh -e -c '
        sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        ip addr flush dev eth0 scope global
        ip neigh replace "$3" lladdr "$5" nud permanent dev eth0
        ip neigh replace "$4" lladdr "$5" nud permanent dev eth0
        ip route replace "$3" dev eth0
        ip route replace default via "$3" dev eth0
        ip -6 route replace "$4" dev eth0
        ip -6 route replace default via "$4" dev eth0
        ip -6 route replace fcbb:bb00::/32 via "$4" dev eth0
        ip link set '$TAP' mtu '$MTU' up
        ip -6 addr add fe80::1/64 dev '$TAP' nodad
        ip addr add 169.254.1.1/32 dev '$TAP'
        ip -6 route replace "$2" dev '$TAP'
        ip route replace "$1" dev '$TAP'
    ' sh "$ipv4" "$ipv6" "$(leaf_address "$1" -4)" "$(leaf_address "$1" -6)" "$mac"
}

leaf_address() { # NUMBER -4|-6
    in_node "leaf$1" ip -j "$2" addr show dev "h$1" scope global | jq -r '.[].addr_info[].local'
}

# All that a host receives is passed on by one processor: two would let packets overtake each other.
pass_on_by_one() {
    local namespace
    for namespace in $(jq -r '.nodes[].namespace' "$STATE/lab.json"); do
        ip netns exec "$namespace" sh -c 'for queue in /sys/class/net/*/queues/rx-*/rps_cpus; do echo 1 >"$queue"; done'
    done
}

write_agent_config() { # NUMBER NIC-LINES
    local host=h$1 file=$STATE/h$1/agent.yaml
    mkdir -p "$STATE/$host"
    cat >"$file" <<END
host: $host
fabric: "$FABRIC"
socket: $STATE/$host/agent.sock
log:
  level: info
  file: $STATE/$host/agent.log
gossip:
  listen: "tcp://$(jq -r ".nodes[] | select(.node == \"$host\").mgmt" "$STATE/lab.json"):7946"
  seeds: ["tcp://$(jq -r '.nodes[] | select(.node == "h0").mgmt' "$STATE/lab.json"):7946"]
probe:
  interval_ms: 10
  timeout_ms: 30
  loss_threshold: 3
nic:
  on_exit: leave
$2
END
}

agents_up() {
    local number
    for number in "${GUESTS[@]}"; do
        "$LAB" agent h$number start || return
    done
    for number in "${GUESTS[@]}"; do
        eventually healthy h$number || return
    done
}

# ---- what is counted, by whom

# A snapshot of all counters: the kernel's of the links, the RDMA stacks', the agents' flows.
snapshot() { # NAME
    local number
    "$LAB" counters --json | jq -c '.links | INDEX(.link) | map_values(.steered_packets)' >"$WORK/links.json"
    for number in "${GUESTS[@]}"; do
        ask "$number" counters >"$WORK/rdma$number.json" || return
        ctl h$number flows --json | jq -c '[.flows[].parts[] | {key: .nodes[2], value: .packets}] | from_entries' >"$WORK/flows$number.json"
        ctl h$number status --json | jq -c .nic >"$WORK/nic$number.json"
    done
    jq -n -c '{links: input, rdma: [input, input], flows: [input, input], nic: [input, input]}' "$WORK/links.json" \
        "$WORK/rdma0.json" "$WORK/rdma1.json" "$WORK/flows0.json" "$WORK/flows1.json" "$WORK/nic0.json" "$WORK/nic1.json" >"$WORK/$1.snapshot"
}

# gained FROM TO PATH: by how much a number grew between two snapshots.
gained() {
    jq -n "(input | $3) as \$from | (input | $3) as \$to | \$to - \$from" "$WORK/$1.snapshot" "$WORK/$2.snapshot"
}

# packets FROM TO: a table of what was counted where; for eyes.
packets() {
    jq -n -r 'def links: .links | with_entries(select(.key | test("^leaf.>spine|>h")));
        input as $a | input as $b | ["sent", "received", "out of order", "duplicate", "retry exhausted"] as $names
        | (["rdma0", "rdma1"] | to_entries[] | .key as $i | "\(.value): sent \($b.rdma[$i].sent_pkts - $a.rdma[$i].sent_pkts) received \($b.rdma[$i].rcvd_pkts - $a.rdma[$i].rcvd_pkts)"),
          ($b | links | to_entries[] | "\(.key) \(.value - $a.links[.key])"),
          (range(2) | . as $i | $b.flows[$i] | to_entries[] | "agent \($i) over \(.key) \(.value - ($a.flows[$i][.key] // 0))")' \
        "$WORK/$1.snapshot" "$WORK/$2.snapshot"
}
