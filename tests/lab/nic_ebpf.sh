#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The ebpf NIC driver on real packets:  nic_ebpf.sh DIRECTORY-OF-TEST-PROGRAMS
#
#   h0 --- s1 --- s2 --- h1        four network namespaces; s1 and s2 are the kernel's own uN
#                                  (End with NEXT-CSID), h0 and h1 hold a NIC open
#
# Judges are the kernel (a packet with a wrong SID list does not arrive), a receiver that counts by
# QP, source port and class, and tshark reading what h0 sent. Exit 77: cannot run here.
set -u
bin=$1
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root for network namespaces and BPF"
for tool in ip tc nft tshark nsenter; do
    command -v "$tool" >/dev/null || skip "needs $tool"
done

run=nic$$
work=$(mktemp -d)
pins=/sys/fs/bpf/srv6/$run
failures=0
checks=0
declare -A holder_in holder_out holder_pid
answer='' received='' captured='' receiver='' capture='' load='' before=''

in_ns() { nsenter --net=/run/netns/$run-"$1" -- "${@:2}"; }
be_in_ns() { exec nsenter --net=/run/netns/$run-"$1" -- "${@:2}"; } # for "... &": $! is the program
quietly() { "$@" >/dev/null 2>&1; }

finish() {
    for name in "${!holder_pid[@]}"; do quietly kill "${holder_pid[$name]}"; done
    for pid in $(jobs -p); do quietly kill "$pid"; done
    for host in h0 h1 s1 s2; do quietly ip netns del $run-$host; done
    quietly find "$pins" -type f -delete
    quietly find "$pins" -depth -type d -delete
    rm -rf "$work"
}
trap finish EXIT

check() { # SENTENCE COMMAND...
    checks=$((checks + 1))
    if "${@:2}"; then
        echo "ok       $1"
    else
        echo "NOT OK   $1"
        failures=$((failures + 1))
    fi
}
equal() { [ "$1" = "$2" ] || { echo "         expected: $2"; echo "         got:      $1"; false; }; }
matches() { [[ "$1" =~ $2 ]] || { echo "         expected: /$2/"; echo "         got:      $1"; false; }; }

# --- the network ---------------------------------------------------------------------------------

link_up() { # NAMESPACE DEVICE ADDRESS4 ADDRESS6
    in_ns "$1" ip link set "$2" up mtu 1600
    in_ns "$1" ip addr add "$3" dev "$2"
    in_ns "$1" ip addr add "$4" dev "$2" nodad
}

build() {
    local name
    for name in h0 s1 s2 h1; do
        ip netns add $run-$name || skip "cannot make network namespaces"
        in_ns $name ip link set lo up
        in_ns $name sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
            net.ipv6.conf.all.seg6_enabled=1 net.ipv6.conf.default.seg6_enabled=1 \
            net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
            net.ipv6.conf.default.accept_dad=0 2>/dev/null || skip "no IPv6 segment routing in the kernel"
    done
    ip link add eth0 netns $run-h0 type veth peer name h0 netns $run-s1
    ip link add s2 netns $run-s1 type veth peer name s1 netns $run-s2
    ip link add h1 netns $run-s2 type veth peer name eth0 netns $run-h1
    link_up h0 eth0 10.77.1.1/24 fd77:1::1/64
    link_up s1 h0 10.77.1.2/24 fd77:1::2/64
    link_up s1 s2 10.77.2.1/24 fd77:2::1/64
    link_up s2 s1 10.77.2.2/24 fd77:2::2/64
    link_up s2 h1 10.77.3.2/24 fd77:3::2/64
    link_up h1 eth0 10.77.3.1/24 fd77:3::1/64
    for name in h0 h1; do
        in_ns $name ip route add default via 10.77.$([ $name = h0 ] && echo 1 || echo 3).2
        in_ns $name ip -6 route add default via fd77:$([ $name = h0 ] && echo 1 || echo 3)::2
    done
    in_ns h0 ip -6 addr add fcbb:bb00:100::/128 dev lo nodad
    in_ns h1 ip -6 addr add fcbb:bb00:101::/128 dev lo nodad
    in_ns s1 ip route add 10.77.3.0/24 via 10.77.2.2
    in_ns s2 ip route add 10.77.1.0/24 via 10.77.2.1
    in_ns s1 ip -6 route add fd77:3::/64 via fd77:2::2
    in_ns s2 ip -6 route add fd77:1::/64 via fd77:2::1
    in_ns s1 ip -6 route add fcbb:bb00:100::/48 via fd77:1::1
    in_ns s1 ip -6 route add fcbb:bb00:2::/48 via fd77:2::2
    in_ns s1 ip -6 route add fcbb:bb00:101::/48 via fd77:2::2
    in_ns s2 ip -6 route add fcbb:bb00:101::/48 via fd77:3::1
    in_ns s2 ip -6 route add fcbb:bb00:1::/48 via fd77:2::1
    in_ns s2 ip -6 route add fcbb:bb00:100::/48 via fd77:2::1
    local usid flavour="flavors next-csid lblen 32 nflen 16"
    for name in s1 s2; do
        usid=${name#s}
        # shellcheck disable=SC2086
        in_ns $name ip -6 route add fcbb:bb00:$usid::/48 encap seg6local action End $flavour \
            dev "$([ $name = s1 ] && echo s2 || echo s1)" || skip "no uN (End with next-csid) in the kernel"
    done
    # Neighbours are learnt before anything is counted.
    for address in 10.77.3.1 fd77:3::1; do
        in_ns h0 ping -q -c 2 -i 0.1 -W 1 $address >/dev/null || { echo "the test network is broken"; exit 1; }
    done
}

# --- NICs ----------------------------------------------------------------------------------------

hold() { # HOST [PROGRAM]: starts nic_hold; the answer to the opening is in $answer
    local host=$1 in out
    mkfifo "$work/$host.in" "$work/$host.out"
    be_in_ns "$host" "$bin/${2:-nic_hold}" ebpf eth0 "$pins/$host" <"$work/$host.in" >"$work/$host.out" &
    holder_pid[$host]=$!
    exec {in}>"$work/$host.in" {out}<"$work/$host.out"
    rm "$work/$host.in" "$work/$host.out"
    holder_in[$host]=$in
    holder_out[$host]=$out
    read_answer "$host"
}

read_answer() {
    local line
    answer=
    while IFS= read -r -t 20 -u "${holder_out[$1]}" line; do
        answer+=$line$'\n'
        case $line in ok | error:*) return ;; esac
    done
}

tell() { # HOST LINE...: the answer to the last line is in $answer
    local line
    for line in "${@:2}"; do
        echo "$line" >&"${holder_in[$1]}"
        read_answer "$1"
        case $answer in *error:*) echo "         $1: $line: $answer" ;; esac
    done
}

release() { # HOST keep|remove|killed
    local in=${holder_in[$1]} out=${holder_out[$1]}
    [ "$2" = killed ] || echo "close $2" >&"$in"
    exec {in}>&- {out}<&-
    wait "${holder_pid[$1]}" 2>/dev/null
    unset "holder_pid[$1]"
}

total() { # HOST NAME
    tell "$1" totals
    [[ $answer =~ $2=([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

# --- packets -------------------------------------------------------------------------------------

receiver_start() {
    rm -f "$work/received" "$work/ready"
    be_in_ns h1 "$bin/roce" recv "$work/received" >"$work/ready" &
    receiver=$!
    until [ -s "$work/ready" ]; do sleep 0.01; done
}
receiver_stop() {
    sleep 0.05
    kill -TERM $receiver
    wait $receiver
    received=$(sort "$work/received")
}
capture_start() { # NAMESPACE DEVICE
    rm -f "$work/capture.pcap" "$work/tshark"
    be_in_ns "$1" tshark -q -i "$2" -w "$work/capture.pcap" -f "ip6 or udp" >/dev/null 2>"$work/tshark" &
    capture=$!
    until [ -s "$work/capture.pcap" ]; do sleep 0.02; done
    sleep 0.2
}
capture_stop() { # FILTER -E OPTION FIELD...: the fields of the packets in $captured
    local fields=() field
    sleep 0.3
    kill -INT $capture
    wait $capture 2>/dev/null
    for field in "${@:4}"; do fields+=(-e "$field"); done
    captured=$(tshark -r "$work/capture.pcap" -Y "$1" -T fields -E separator=' ' "${@:2:2}" "${fields[@]}" 2>/dev/null)
}
send() { in_ns h0 "$bin/roce" send "$@"; }

one_path="fcbb:bb00:1:2:101::"
other_path="fcbb:bb00:2:101::"
long_path="fcbb:bb00:1:2:1:2:1:2,fcbb:bb00:1:2:101::"
v4=10.77.3.1
v6=fd77:3::1
source=fd77:1::1

build
hold h0
[[ $answer =~ ok ]] || { [[ $answer =~ "no BPF"|"built without BPF"|clsact ]] && skip "$answer"; echo "$answer"; exit 1; }
first_answer=$answer
hold h1
tell h1 "local fcbb:bb00:101::" apply

# --- what a rule does to packets -----------------------------------------------------------------

steered() { # DESTINATION FAMILY NEXT-HEADER
    receiver_start
    capture_start s1 h0
    send "$1" --qp 17 --sport 50001 --tos 0x6a --count 5
    capture_stop "ipv6.dst == $one_path" -E occurrence=f ipv6.src ipv6.dst ipv6.tclass.dscp \
        ipv6.tclass.ecn ipv6.hlim ipv6.nxt infiniband.bth.destqp
    receiver_stop
    equal "$received" "$2 17 50001 0x6a 5 0" && equal "$(uniq -c <<<"$captured" | xargs)" \
        "5 $source $one_path 26 2 64 $3 0x000011"
}
tell h0 "rule $v4 default single $source $one_path" "rule $v6 default single $source $one_path" apply
check "IPv4 travels in one carrier, with its DSCP and ECN outside, and arrives as it was" steered $v4 4 4
check "IPv6 travels in one carrier, with its DSCP and ECN outside, and arrives as it was" steered $v6 6 41
tell h0 counters
check "a path counts packets, and bytes from the inner IP header on" \
    matches "$answer" "$v4 default=0 path=0 packets=5 bytes=460.*$v6 default=0 path=0 packets=5 bytes=560"
tell h0 qps
check "a QP is learnt from its packets" matches "$answer" "qp ::ffff:$v4 17 sport=50001 packets=5 bytes=460"
tell h0 qps
check "a QP that sent nothing since is not reported again" equal "$answer" $'ok\n'

split() { # SEND-OPTIONS...: how many packets took each path, for two sends (options before and after --)
    receiver_start
    capture_start s1 h0
    while [ $# -gt 0 ]; do
        local options=()
        while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
        [ $# -gt 0 ] && shift
        send "${options[@]}"
    done
    capture_stop "udp.dstport == 4791" -E occurrence=f ipv6.dst infiniband.bth.destqp udp.srcport
    receiver_stop
    captured=$(LC_ALL=C sort <<<"$captured" | uniq -c | awk '{print $2, $3, $4, "x" $1}')
}
by_key() { # KEY-OF-RULE QP-AND-PORT-OPTIONS-OF-TWO-SENDS
    split $v6 $2 --count 3 -- $v6 $3 --count 4
}
tell h0 "rule $v6 default single $source $one_path" "rule $v6 qp=18 single $source $other_path" apply
by_key qp "--qp 17 --sport 50001" "--qp 18 --sport 50001"
check "an exact QP goes before the default of its destination" equal "$captured" \
    "$one_path 0x000011 50001 x3"$'\n'"$other_path 0x000012 50001 x4"
tell h0 "rule $v6 default single $source $one_path" "rule $v6 sport=50002 single $source $other_path" apply
by_key sport "--qp 17 --sport 50001" "--qp 17 --sport 50002"
check "an exact source port goes before the default of its destination" equal "$captured" \
    "$one_path 0x000011 50001 x3"$'\n'"$other_path 0x000011 50002 x4"
tell h0 "rule $v6 qp=18 single $source $other_path" apply
by_key qp "--qp 17 --sport 50001" "--qp 18 --sport 50001"
check "without a default only the exact QP is steered" equal "$captured" \
    "$other_path 0x000012 50001 x4"$'\n'"$v6 0x000011 50001 x3"
tell h0 "rule $v6 default bucket-qp $source $one_path $other_path" apply
by_key qp "--qp 64 --sport 50001" "--qp 65 --sport 50001"
check "buckets of the QP name the path" equal "$captured" \
    "$one_path 0x000040 50001 x3"$'\n'"$other_path 0x000041 50001 x4"
tell h0 "rule $v6 default bucket-sport $source $one_path $other_path" apply
by_key sport "--qp 64 --sport 50000" "--qp 64 --sport 50001"
check "buckets of the source port name the path" equal "$captured" \
    "$one_path 0x000040 50000 x3"$'\n'"$other_path 0x000040 50001 x4"

spray() {
    split $v4 --qp 5 --sport 50001 --count 400
    local on_one on_other
    on_one=$(sed -n "s/^$one_path .* x//p" <<<"$captured")
    on_other=$(sed -n "s/^$other_path .* x//p" <<<"$captured")
    # 400 throws of a coin stay between 120 and 280 but once in 10^15.
    equal $((on_one + on_other)) 400 && [ "$on_one" -gt 120 ] && [ "$on_other" -gt 120 ]
}
tell h0 "rule $v4 default spray $source $one_path $other_path" apply
check "a sprayed flow takes both paths, packet by packet" spray

several_carriers() { # DESTINATION FAMILY NEXT-HEADER
    receiver_start
    capture_start s1 h0
    send "$1" --qp 17 --sport 50001 --tos 0x6a --count 5
    capture_stop "ipv6.routing.type == 4" -E occurrence=f ipv6.dst ipv6.nxt ipv6.routing.nxt ipv6.routing.len \
        ipv6.routing.segleft ipv6.routing.srh.last_entry ipv6.routing.srh.addr
    receiver_stop
    equal "$received" "$2 17 50001 0x6a 5 0" && equal "$(uniq -c <<<"$captured" | xargs)" \
        "5 ${long_path%,*} 43 $3 2 1 0 ${long_path#*,}"
}
tell h0 "rule $v4 default single $source $long_path" "rule $v6 default single $source $long_path" apply
check "IPv4 travels with two carriers and a reduced SRH" several_carriers $v4 4 4
check "IPv6 travels with two carriers and a reduced SRH" several_carriers $v6 6 41

# --- congestion marks ----------------------------------------------------------------------------

class_after_ce() { # DESTINATION CLASS
    receiver_start
    send "$1" --sport 50001 --tos "$2" --count 2
    receiver_stop
    cut -d' ' -f4,5 <<<"$received"
}
in_ns s2 nft -f - <<NFT
table netdev marking {
    chain in { type filter hook ingress device "s1" priority 0; ip6 nexthdr { 4, 41, 43 } ip6 ecn set ce; }
}
NFT
check "CE on the outer header, behind an SRH, reaches inner IPv4" equal "$(class_after_ce $v4 0x6a)" "0x6b 2"
tell h0 "rule $v4 default single $source $one_path" "rule $v6 default single $source $one_path" apply
check "CE on the outer header reaches inner IPv4 (its checksum holds)" equal "$(class_after_ce $v4 0x6a)" "0x6b 2"
check "CE on the outer header reaches inner IPv6" equal "$(class_after_ce $v6 0x69)" "0x6b 2"
check "inner IPv6 that is not ECN-capable stays so" equal "$(class_after_ce $v6 0x68)" "0x68 2"
check "inner IPv4 that is not ECN-capable stays so" equal "$(class_after_ce $v4 0x68)" "0x68 2"
in_ns s2 nft delete table netdev marking

# --- CNPs ------------------------------------------------------------------------------------------

cnps() { # DESTINATION OPTIONS...: what h1 tells of CNPs that h0 sent: hints, and the sum of counts by sender and QP
    local hints
    tell h1 cnps hints
    send "$1" --opcode 0x81 --size 32 "${@:2}"
    sleep 0.1
    tell h1 hints
    hints=$(grep -c '^hint ' <<<"$answer")
    tell h1 cnps
    echo "$([ "$hints" -gt 0 ] && echo hinted) $(awk '$1 == "cnp" { split($4, n, "="); sum[$2 " " $3] += n[2] }
        END { for (key in sum) print key, sum[key] }' <<<"$answer" | sort | xargs)"
}
hints_of_a_burst() {
    tell h1 cnps hints
    send $v6 --opcode 0x81 --size 32 --qp 7 --count 3000
    sleep 0.1
    tell h1 hints
    local hints
    hints=$(grep -c '^hint ' <<<"$answer")
    [ "$hints" -ge 1 ] && [ "$hints" -lt 300 ] || { echo "         $hints hints"; false; }
}
receiver_start # nobody listening would end a burst of them
tell h1 cnps hints
check "before, there were none, and nothing wakes who waits for them" equal "$answer" $'ok\n'
check "CNPs that came encapsulated are counted by sender and QP, IPv4" equal "$(cnps $v4 --qp 99 --count 3)" \
    "hinted ::ffff:10.77.1.1 99 3"
check "and IPv6" equal "$(cnps $v6 --qp 0xfffffe --count 2)" "hinted $source 16777214 2"
check "a burst of them makes few hints" hints_of_a_burst
tell h0 "rule $v6 default single $source $long_path" apply
check "CNPs behind an SRH are counted" equal "$(cnps $v6 --qp 5 --count 4)" "hinted $source 5 4"
check "and those that came plain" equal "$(cnps $v4 --qp 6 --count 5)" "hinted ::ffff:10.77.1.1 6 5"
tell h0 apply
check "of both families" equal "$(cnps $v6 --qp 6 --count 5)" "hinted $source 6 5"
check "what is longer is none" equal "$(cnps $v6 --size 33)" " "
check "what is shorter is none" equal "$(cnps $v4 --size 31)" " "
check "another opcode is none" equal "$(cnps $v6 --opcode 0x11)" " "
check "another port is none" equal "$(cnps $v4 --port 4792)" " "
receiver_stop
tell h0 "rule $v4 default single $source $one_path" "rule $v6 default single $source $one_path" apply

# --- what stays as it is -------------------------------------------------------------------------

untouched() {
    local before after
    before=$(total h0 encapsulated)
    in_ns h0 ip -6 neigh flush dev eth0
    in_ns h0 ping -q -c 1 -W 2 $v6 >/dev/null && in_ns h0 ping -q -c 1 -W 2 $v4 >/dev/null || return 1
    # A closed port answers with a reset: TCP got there and back.
    in_ns h0 timeout 2 bash -c "exec 3<>/dev/tcp/$v4/9" 2>&1 | grep -q refused || return 1
    in_ns h0 timeout 2 bash -c "exec 3<>/dev/tcp/$v6/9" 2>&1 | grep -q refused || return 1
    in_ns h0 "$bin/roce" send $v4 --port 4792
    in_ns h0 "$bin/roce" send $v6 --port 4792
    after=$(total h0 encapsulated)
    equal "$after" "$before"
}
check "neighbour discovery, ping, TCP and UDP to other ports are not touched" untouched

left_plain() { # SIZE PLAIN-MORE: RoCEv2 of this size arrives and is not encapsulated
    local before after plain
    before=$(total h0 encapsulated) plain=$(total h0 plain)
    receiver_start
    send $v6 --sport 50001 --size "$1" --count 3
    send $v4 --sport 50001 --size "$1" --count 3
    receiver_stop
    after=$(total h0 encapsulated)
    equal "$(cut -d' ' -f5,6 <<<"$received" | xargs)" "3 0 3 0" && equal "$after" "$before" &&
        equal $(($(total h0 plain) - plain)) "$2"
}
check "fragments pass" left_plain 3000 0
check "what the device's MTU does not take with an outer header leaves plain, counted" left_plain 1540 6

probe_returns() { # DESTINATION HOST OPTIONS...: a UDP packet to a uSID of h0 stays UDP
    local before
    before=$(total h0 decapsulated)
    rm -f "$work/received" "$work/ready"
    be_in_ns h0 "$bin/roce" recv "$work/received" >"$work/ready" &
    receiver=$!
    until [ -s "$work/ready" ]; do sleep 0.01; done
    in_ns "$2" "$bin/roce" send "$1" --sport 50001 --no-check 1 --count 3
    receiver_stop
    equal "$(cut -d' ' -f5,6 <<<"$received")" "3 0" && equal "$(total h0 decapsulated)" "$before"
}
tell h0 "rule $v6 default single $source $one_path" "local fcbb:bb00:100::" apply
check "a loop probe that returns to this host's uSID stays local" probe_returns fcbb:bb00:1:2:1:100:: h0
in_ns h1 ip -6 route add fcbb:bb00:100::/128 encap seg6 mode inline segs fcbb:bb00:2:1:: via fd77:3::2 dev eth0
check "a probe behind an SRH stays local too" probe_returns fcbb:bb00:100:: h1
in_ns h1 ip -6 route del fcbb:bb00:100::/128

# --- changes, death and adoption under load ------------------------------------------------------

load_start() { receiver_start; before=$(total h0 encapsulated); be_in_ns h0 "$bin/roce" send $v6 --sport 50001 --count 3000 --gap-us 300 & load=$!; }
load_stop() { wait $load; receiver_stop; }

path_changes() {
    local i
    load_start
    for i in 1 2 3 4 5 6 7 8; do
        tell h0 "rule $v6 default single $source $other_path" apply
        tell h0 "rule $v6 qp=17 single $source $one_path" apply
        tell h0 "rule $v6 default single $source $one_path" "rule $v4 default single $source $one_path" apply
    done
    load_stop
    equal "$received" "6 17 50001 0x00 3000 0" && equal $(($(total h0 encapsulated) - before)) 3000
}
check "24 changes of the path under load lose no packet and let none leave plain" path_changes

tell h0 "rule $v6 default single $source $long_path" "rule $v6 qp=99 single $source $other_path" \
    "rule $v4 sport=7 spray $source $other_path $one_path" "rule $v4 default bucket-qp $source $one_path $other_path" \
    "local fcbb:bb00:100::" apply applied
held=$answer
adoption() {
    load_start
    sleep 0.2
    kill -9 "${holder_pid[h0]}"
    release h0 killed
    sleep 0.2
    hold h0
    load_stop
    tell h0 counters
    equal "$received" "6 17 50001 0x00 3000 0" && equal $(($(total h0 encapsulated) - before)) 3000 &&
        matches "$answer" "$v6 default=0 path=0 packets=3000 "
}
check "kill -9 and a new start under load lose no packet; counters go on" adoption
tell h0 applied
check "the new process finds the rules of the old one" equal "$answer" "$held"
tell h0 "rule $v6 default single $source $long_path" apply counters
check "an unchanged path keeps its counter when other rules go" matches "$answer" "^counter $v6 default=0 path=0 packets=3000 [^c]*$"

second=$(in_ns h0 "$bin/nic_hold" ebpf eth0 "$pins/h0" </dev/null)
check "a second process is refused" matches "$second" "^error: .*another process drives this NIC"

layout=$(cd "$pins/h0" && echo v*)
other_layout() {
    load_start
    release h0 keep
    mv "$pins/h0/$layout" "$pins/h0/v0"
    hold h0
    tell h0 applied
    equal "$answer" $'ok\n' || return 1
    sleep 0.2
    tell h0 "rule $v6 default single $source $one_path" apply
    load_stop
    equal "$received" "6 17 50001 0x00 3000 0" && equal "$(cd "$pins/h0" && echo v*)" "$layout" &&
        [ "$(total h0 encapsulated)" -gt 0 ] && [ "$(total h0 plain)" = 0 ]
}
check "maps of another layout forward until the first apply, then are replaced without loss" other_layout

hooks() { # HOST: what of ours is at the port: filters and links
    echo "$(in_ns "$1" tc filter show dev eth0 egress 2>/dev/null | grep -c handle) $(find "$pins/$1" -name 'link_*' | wc -l)"
}
other_method() { # PROGRAM HOOKS: another version of the driver takes over, by the other method or the same
    load_start
    release h0 keep
    hold h0 "$1"
    load_stop
    equal "$received" "6 17 50001 0x00 3000 0" && equal $(($(total h0 encapsulated) - before)) 3000 &&
        equal "$(hooks h0)" "$2"
}
if [[ $first_answer =~ "open tcx" ]]; then
    release h0 remove
    hold h0 nic_hold_clsact
    check "a kernel without tcx is served by clsact" matches "$answer $(hooks h0)" "open clsact.* 1 0"
    tell h0 "rule $v6 default single $source $one_path" apply
    check "clsact is adopted by clsact under load without loss" other_method nic_hold_clsact "1 0"
    check "clsact is replaced by tcx under load: no loss, and nothing encapsulated twice" other_method nic_hold "0 2"
    check "tcx is adopted by tcx under load without loss" other_method nic_hold "0 2"
fi

leftovers() { # the port is made anew, the pins of the old one are still there
    local spare=("$bin/nic_hold" ebpf spare "$pins/spare") said
    in_ns h1 ip link add spare type veth peer name spare2
    in_ns h1 "${spare[@]}" <<<"rule $v4 default single $source $one_path"$'\napply\nclose keep' >/dev/null
    said=$(in_ns h1 "${spare[@]}" <<<$'applied\nclose keep')
    matches "$said" "rule .*$v4" || return 1
    in_ns h1 ip link del spare
    in_ns h1 ip link add spare type veth peer name spare2
    said=$(in_ns h1 "${spare[@]}" <<<$'applied\nclose remove')
    ! grep -q rule <<<"$said"
}
check "pins whose port is gone are not taken for rules" leftovers

# --- refusals ------------------------------------------------------------------------------------

refused() { # REASON COMMAND...
    local said
    said=$("${@:2}" </dev/null 2>&1)
    matches "$said" "^error: .*$1"
}
check "a device that does not exist is named" refused "nope: no such network device" in_ns h0 "$bin/nic_hold" ebpf nope "$pins/x"
check "a pin directory outside a BPF file system is refused" refused "not in a BPF file system" \
    in_ns h0 "$bin/nic_hold" ebpf eth0 "$work/pins"
check "without privileges the sentence says what to do" refused "run as root or with CAP_BPF" \
    in_ns h0 setpriv --reuid 65534 --regid 65534 --clear-groups "$bin/nic_hold" ebpf eth0 "$pins/y"
check "an unknown driver is named" refused 'called "mlx9"' in_ns h0 "$bin/nic_hold" mlx9 eth0 ""
tell h0 applied
held=$answer
tell h0 "rule $v6 default single $source $one_path" "rule $v6 default single $source $other_path" 
echo apply >&"${holder_in[h0]}"
read_answer h0
check "two rules of one match are refused" matches "$answer" "two rules of one match"
tell h0 applied
check "and what was applied stays" equal "$answer" "$held"

# --- leaving -------------------------------------------------------------------------------------

# On a kernel without tcx another's filter shares our qdisc.
release h1 remove
hold h1 nic_hold_clsact
in_ns h1 tc filter add dev eth0 ingress prio 5 bpf da object-pinned "$pins/h1/$layout/srv6_decap"
release h0 remove
release h1 remove
check "removal leaves no filter and no qdisc" equal \
    "$(in_ns h0 tc qdisc show dev eth0 | grep -c clsact) $(in_ns h0 tc filter show dev eth0 egress | wc -l)" "0 0"
check "removal leaves no pins" equal "$(find "$pins" 2>/dev/null)" ""
check "the qdisc stays where another filter uses it" equal \
    "$(in_ns h1 tc qdisc show dev eth0 | grep -c clsact) $(in_ns h1 tc filter show dev eth0 ingress | grep -c 'pref 5')" "1 $(in_ns h1 tc filter show dev eth0 ingress | grep -c .)"

echo "$checks checks, $failures failed"
[ $failures = 0 ]
