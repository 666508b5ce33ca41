#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The header that the mlx5 driver lays before a packet, against the kernel's own encapsulation of the same path (seg6, mode
# encap.red), byte for byte:  mlx5_header.sh DIRECTORY-OF-TEST-PROGRAMS
#
#   a --- b      the kernel of a encapsulates pings, what arrives at b is captured; neighbours are entered by hand
#
# By nature they differ in the payload length, which the NIC fills in; here the kernel's must fit its own packet. The kernel
# takes hop limit and flow label from an inner IPv6 packet, the NIC's are 64 and 0: of inner packets that have these too they
# are compared, and left out of one more comparison with others. The kernel's outer class of an inner IPv4 packet is 0, the
# NIC's is the packet's. Everything else is compared always. Exit 77: cannot run here.
set -u
bin=$1
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
for tool in ip tcpdump nsenter ping; do
    command -v $tool >/dev/null || skip "needs $tool"
done
[ -x "$bin/mlx5_header_hex" ] || { echo "$bin/mlx5_header_hex is not built"; exit 1; }

run=mlx5h$$
work=$(mktemp -d)
capture=''
failures=0
checks=0
mac_a=02:00:00:00:0a:01
mac_b=02:00:00:00:0b:02
source=fcbb:bb00:100::

in_ns() { nsenter --net=/run/netns/$run-"$1" -- "${@:2}"; }

# shellcheck disable=SC2317 # called by the trap
finish() {
    [ -n "$capture" ] && kill "$capture" 2>/dev/null
    for name in a b; do ip netns del $run-$name 2>/dev/null; done
    rm -rf "$work"
}
trap finish EXIT

check() { # SENTENCE EXPECTED GOT
    checks=$((checks + 1))
    if [ "$2" = "$3" ]; then
        echo "ok       $1"
    else
        printf 'NOT OK   %s\n         driver: %s\n         kernel: %s\n' "$1" "$2" "$3"
        failures=$((failures + 1))
    fi
}

build() {
    local name
    for name in a b; do
        ip netns add $run-$name || skip "cannot make network namespaces"
        in_ns $name sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
            net.ipv6.conf.default.router_solicitations=0 net.ipv6.auto_flowlabels=0 2>/dev/null ||
            skip "no IPv6 in the kernel"
    done
    ip link add eth0 netns $run-a address $mac_a type veth peer name eth0 netns $run-b address $mac_b
    for name in a b; do
        in_ns $name ip link set eth0 up mtu 1600
    done
    in_ns a ip addr add 10.66.0.1/24 dev eth0
    in_ns a ip addr add fd66::1/64 dev eth0 nodad
    in_ns a ip -6 neigh add fd66::2 lladdr $mac_b dev eth0 nud permanent
    in_ns a ip -6 route add fcbb:bb00::/32 via fd66::2
    in_ns a ip sr tunsrc set $source || skip "no IPv6 segment routing in the kernel"
}

segments() { # CASE CARRIERS: the first names the case
    local list=fcbb:bb00:$1:2:3:4:5:6 i
    for ((i = 2; i <= $2; i++)); do list+=,fcbb:bb00:${i}1:${i}2::; done
    echo "$list"
}

inner() { [ "$1" = 4 ] && echo "10.88.0.$2" || echo "fd88::$2"; } # VERSION CASE

send() { # CASE VERSION CARRIERS CLASS TTL
    local to list
    to=$(inner "$2" "$1")
    list=$(segments "$1" "$3")
    in_ns a ip -"$2" route add "$to" encap seg6 mode encap.red segs "$list" dev eth0 2>"$work/error" ||
        skip "no encap.red: $(cat "$work/error")"
    in_ns a ping -q -c 1 -W 0.2 -Q "$4" -t "$5" -s 120 "$to" >/dev/null 2>&1
}

captured() { # CASE: the frame as hexadecimal digits
    tcpdump -r "$work/pcap" -c 1 -nn -xx ip6 dst host "fcbb:bb00:$1:2:3:4:5:6" 2>/dev/null |
        awk '/^\t0x/ { for (i = 2; i <= NF; i++) printf "%s", $i }'
}

expected() { # CASE VERSION CARRIERS CLASS
    local list
    IFS=, read -ra list <<<"$(segments "$1" "$3")"
    "$bin/mlx5_header_hex" $mac_b $mac_a $source "$4" "$2" "${list[@]}"
}

without() { # HEX FIELD...: with x where the fields stand; the digits of a header begin at 28
    local hex=$1 field
    for field in "${@:2}"; do
        case $field in
        length) hex=${hex:0:36}xxxx${hex:40} ;;
        hops) hex=${hex:0:42}xx${hex:44} ;;
        label) hex=${hex:0:31}xxxxx${hex:36} ;;
        class) hex=${hex:0:29}xx${hex:31} ;;
        esac
    done
    echo "$hex"
}

compare() { # SENTENCE CASE VERSION CARRIERS CLASS FIELD...
    local frame header
    frame=$(captured "$2")
    header=$(expected "$2" "$3" "$4" "$5")
    check "$1" "$(without "$header" "${@:6}")" "$(without "${frame:0:${#header}}" "${@:6}")"
    check "   what follows is the inner packet, and the length is that of all after the outer header" \
        "$3 $(printf %04x $((${#frame} / 2 - 54)))" "${frame:${#header}:1} ${frame:36:4}"
}

wait_for_packets() { # COUNT
    local i
    for ((i = 0; i < 50; i++)); do
        [ "$(tcpdump -r "$work/pcap" -nn ip6 dst net fcbb:bb00::/32 2>/dev/null | wc -l)" -ge "$1" ] && return
        sleep 0.1
    done
    echo "only some of $1 packets arrived"
}

build
nsenter --net=/run/netns/$run-b -- tcpdump -i eth0 -U --immediate-mode -w "$work/pcap" 2>"$work/tcpdump" &
capture=$!
for ((i = 0; i < 50; i++)); do grep -qs listening "$work/tcpdump" && break; sleep 0.1; done

for carriers in 1 2 3 4 5; do
    send "6$carriers" 6 $carriers 0x6a 64
    send "4$carriers" 4 $carriers 0x00 64
done
send 71 6 1 0xc0 64
send 72 4 2 0x6a 64
in_ns a sysctl -qw net.ipv6.auto_flowlabels=1
send 73 6 2 0x02 33
wait_for_packets 13

for carriers in 1 2 3 4 5; do
    compare "IPv6 over $carriers carriers: all but the length" "6$carriers" 6 $carriers 0x6a length
    compare "IPv4 over $carriers carriers: all but the length" "4$carriers" 4 $carriers 0x00 length
done
compare "another class (CNP)" 71 6 1 0xc0 length
compare "IPv4 of a class: all but the length and the class" 72 4 2 0x6a length class
frame=$(captured 73)
check "   which are others here, so that leaving them out is seen" "no no" \
    "$([ "${frame:31:5}" = 00000 ] && echo yes || echo no) $([ "${frame:42:2}" = 40 ] && echo yes || echo no)"
compare "other hop limit and flow label: all but these and the length" 73 6 2 0x02 length hops label

echo "$checks checks, $failures failures"
[ $failures = 0 ]
