# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the orders of roce_steering.sh inside a guest. Its network card eth0 is the host's port in the fabric: the host's
# inner addresses, no neighbour but the host. eth1 joins the guests, for what perftest has to say beside its traffic.
. ./guest.conf # NUMBER IPV6 IPV4

raise_card() {
    sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
    ip link set eth0 mtu 4300 up || return
    ip -6 addr add "$IPV6/128" dev eth0 nodad
    ip -6 route add default via fe80::1 dev eth0
    ip addr add "$IPV4/32" dev eth0
    ip route add 169.254.1.1 dev eth0
    ip route add default via 169.254.1.1 dev eth0
    ip link set eth1 up && ip addr add "10.77.0.$NUMBER/24" dev eth1
    rdma link add rxe0 type rxe netdev eth0
}

gid_index() { # 4|6
    local wanted=0000:0000:0000:0000:0000:ffff: index gid
    [ "$1" = 4 ] || wanted=fd64:
    for index in {0..9}; do
        read -r gid <"/sys/class/infiniband/rxe0/ports/1/gids/$index"
        [[ $gid != $wanted* ]] || { echo "$index" && return; }
    done
    echo "no GID of IPv$1" >&2
    return 1
}

# What the RDMA stack has counted, as JSON.
counters() {
    (cd /sys/class/infiniband/rxe0/ports/1/hw_counters && grep -H '^[0-9]' ./*) |
        jq -R -c -s '[scan("\\./(\\w+):(\\d+)") | {key: .[0], value: (.[1] | tonumber)}] | from_entries'
}

listens() { # 18515, in any family
    grep -q ':4853 .* 0A ' /proc/net/tcp /proc/net/tcp6
}

# serve FAMILY PROGRAM OPTION...: "serving" appears when the client may begin.
serve() {
    local family=$1 program=$2 server
    shift 2
    rm -f serving
    "$program" -d rxe0 -x "$(gid_index "$family")" -F "$@" &
    server=$!
    until listens; do
        kill -0 $server || return 1
        sleep 0.1
    done
    touch serving
    wait $server
}

# send FAMILY SERVER PROGRAM OPTION...
send() {
    local family=$1 server=$2 program=$3
    shift 3
    "$program" -d rxe0 -x "$(gid_index "$family")" -F "$@" "$server"
}
