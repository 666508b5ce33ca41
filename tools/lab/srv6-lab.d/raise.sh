# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# up and down: namespaces, devices, routes, rates.

readonly FIRST_CSID_KERNEL="Linux 6.1"

# Leaves the reason in REASON and fails when this kernel cannot be a lab; sets HAS_UA. Tries things in
# a namespace of its own, because a version number does not tell what a kernel was built with.
try_kernel() {
    local scratch=${PREFIX}probe-$$
    local csid='flavors next-csid lblen 32 nflen 16'
    HAS_UA=false REASON=''
    if [ ! -e /proc/sys/net/ipv6/conf/all/seg6_enabled ]; then
        REASON="this kernel has no IPv6 segment routing: boot one with CONFIG_IPV6_SEG6_LWTUNNEL, \
$FIRST_CSID_KERNEL or newer (Debian's own kernels have it)"
        return 1
    fi
    echo "$scratch" >>"$STATE/namespaces"
    if ! ip netns add "$scratch" 2>"$STATE/why" ||
        ! ip -n "$scratch" link add p0 type veth peer name p1 2>"$STATE/why" ||
        ! ip -n "$scratch" -batch - 2>"$STATE/why" <<<$'link set p0 up\nlink set p1 up'; then
        REASON="cannot make a network namespace with veth devices: $(head -n 1 "$STATE/why")"
    elif ! ip -n "$scratch" -6 route add fc00::/48 encap seg6local action End $csid dev p0 \
        2>"$STATE/why"; then
        REASON="this kernel has no uN (seg6local End with NEXT-CSID): boot $FIRST_CSID_KERNEL or \
newer with CONFIG_IPV6_SEG6_LWTUNNEL"
    elif ! in_namespace "$scratch" nft -f - 2>"$STATE/why" <<'END'; then
table netdev t {
  chain i {
    type filter hook ingress device "p0" priority 0
  }
  chain e {
    type filter hook egress device "p0" priority 0
  }
}
END
        REASON="this kernel cannot count packets per device: nftables with CONFIG_NETFILTER_INGRESS \
and CONFIG_NETFILTER_EGRESS is needed"
    elif ! in_namespace "$scratch" tc qdisc add dev p0 root htb 2>"$STATE/why"; then
        REASON="this kernel cannot limit rates: CONFIG_NET_SCH_HTB is needed"
    fi
    if ip -n "$scratch" -6 route add fc00:0:1::/48 encap seg6local action End.X nh6 fc00::1 $csid \
        dev p0 2>"$STATE/why"; then
        HAS_UA=true
    fi
    ip netns del "$scratch" 2>>"$STATE/why"
    [ -z "$REASON" ]
}

# fail_up WHAT: what was made so far goes; nothing half-raised stays behind.
fail_up() {
    say "cannot raise the lab" "$1"
    [ -s "$STATE/why" ] && sed 's/^/  /' "$STATE/why" | head -n 20 >&2
    tear_down
    exit "${2:-$FAILED}"
}

make_namespaces() {
    local namespace
    local -a namespaces
    mapfile -t namespaces < <(lab_query '.nodes[].namespace, .mgmt_namespace')
    for namespace in "${namespaces[@]}"; do
        [ ! -e "/run/netns/$namespace" ] ||
            fail_up "a network namespace $namespace exists already and is not ours" $REFUSED
    done
    printf '%s\n' "${namespaces[@]}" >>"$STATE/namespaces"
    printf 'netns add %s\n' "${namespaces[@]}" | ip -batch - 2>"$STATE/why" ||
        fail_up "network namespaces"
}

# Offloads would put several frames into one, which neither rates nor counters see as such.
dress_node() { # NODE NAMESPACE DEVICE...
    local directory=$STATE/node/$1 namespace=$2
    shift 2
    in_namespace "$namespace" sh -e -c '
        cd "$1"
        shift
        ip -batch ip.batch
        ip -6 -batch rule.batch
        if [ "$1" = true ]; then ip -batch ua.batch; fi
        shift
        tc -batch tc.batch
        nft -f nft.rules
        for device; do
            ethtool -K "$device" tso off gso off gro off tx off >/dev/null
        done' sh "$directory" "$HAS_UA" "$@"
}

make_fabric() {
    local node namespace devices
    local nodes
    nodes=$(lab_query '.nodes[] | "\(.node) \(.namespace) \(.devices | join(" "))"')
    while read -r node namespace devices; do
        in_namespace "$namespace" sysctl -q -p "$STATE/node/$node/sysctl.conf" 2>"$STATE/why" ||
            fail_up "$node: kernel settings"
    done <<<"$nodes"
    ip -batch "$STATE/links.batch" 2>"$STATE/why" || fail_up "cables"
    ip -n "$(lab_query .mgmt_namespace)" -batch "$STATE/mgmt.batch" 2>"$STATE/why" ||
        fail_up "management network"
    while read -r node namespace devices; do
        ip -n "$namespace" -batch "$STATE/node/$node/up.batch" 2>"$STATE/why" ||
            fail_up "$node: devices"
    done <<<"$nodes"
    while read -r node namespace devices; do
        # shellcheck disable=SC2086
        dress_node "$node" "$namespace" $devices 2>"$STATE/why" || fail_up "$node"
    done <<<"$nodes"
}

command_up() {
    take_arguments 1 1
    allow_options --job --no-agents --curve --algorithm --wait --json
    [ -z "$JOB" ] || [ -n "$AGENTS" ] || usage_error "up: --job needs agents"
    [ -z "$JOB" ] || [ -r "$JOB" ] || die $FAILED "cannot read the job" "$JOB"
    seconds_of "$WAIT" >/dev/null || usage_error "up: --wait: not a duration: $WAIT"
    need_root
    take_lock
    [ ! -e "$STATE/namespaces" ] ||
        die $REFUSED "a lab is up already; end it with: srv6-lab down" "$STATE"
    mkdir -p "$STATE/cuts"
    : >"$STATE/namespaces"
    "$BIN/srv6-lab-plan" "${ARGUMENTS[1]}" --out "$STATE" --prefix "$PREFIX" ||
        fail_up "the fabric file has errors"
    try_kernel || fail_up "$REASON"
    make_namespaces
    make_fabric
    jq -n --arg kernel "$(uname -r)" --argjson ua "$HAS_UA" '{kernel: $kernel, uN: true, uA: $ua}' \
        >"$STATE/features.json"
    rm -f "$STATE/why"
    touch "$STATE/ready"
    [ -z "$AGENTS" ] || raise_agents
    show_raised
}

show_raised() {
    if [ -n "$JSON" ]; then
        command_status_json
        return
    fi
    lab_query '"\(.fabric): \([.nodes[] | select(.kind == "host")] | length) hosts, \([.nodes[] |
        select(.kind != "host")] | length) switches, \((.links | length) / 2) cables"'
    [ "$HAS_UA" = true ] || echo "this kernel has no uA: parallel cables cannot be told apart"
}

# Processes that others started in our namespaces keep them alive; they are theirs to end.
name_strangers() { # NAMESPACE
    local pid
    for pid in $(ip netns pids "$1" 2>/dev/null); do
        say "still runs in $1 and keeps it alive: process $pid" "$(cat "/proc/$pid/comm" 2>/dev/null)"
    done
}

tear_down() {
    local namespace record
    for record in "$STATE"/cuts/*.json; do
        [ -e "$record" ] && disarm "$record"
    done
    [ -e "$STATE/lab.json" ] && stop_all_agents
    if [ -e "$STATE/namespaces" ]; then
        while read -r namespace; do
            [ -e "/run/netns/$namespace" ] || continue
            name_strangers "$namespace"
            ip netns del "$namespace" || say "cannot remove the network namespace" "$namespace"
        done <"$STATE/namespaces"
    fi
    rm -rf "$PINS" "$STATE"
    rmdir "$(dirname "$PINS")" 2>/dev/null
    if [ "$(cat "$STATE.bpffs" 2>/dev/null)" = mounted ]; then
        umount /sys/fs/bpf 2>/dev/null
    fi
    rm -f "$STATE.bpffs" "$STATE.lock"
    rmdir "$(dirname "$STATE")" 2>/dev/null
    return 0
}

command_down() {
    take_arguments 0 0
    allow_options
    need_root
    take_lock
    tear_down
}
