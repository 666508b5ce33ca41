#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A switch's link marks all that is ECN-capable (nftables, where the lab taps the link), under load. The flow over it
# leaves it within milliseconds, once, while the marks go on; when they end it returns. Nothing is lost, and no flow of
# another link moves. How long a flow stayed is taken from packets on the other side of the link that marks: from the
# first that is marked to the flow's last.
. "$(dirname "$0")/agent_common.sh"
command -v tcpdump >/dev/null || skip "tcpdump is not installed"

LOAD_BPS=6000000
LOAD_ROUND_SECONDS=8
STEADY_SECONDS=12
AWAY_SECONDS=35 # with the load's end less than the minute that they stay away
leave_ms=()

tap_of() { # LINK: namespace, device and hook
    jq -r --arg link "$1" '.links[] | select(.link == $link) | "\(.tap.namespace) \(.tap.device) \(.tap.hook)"' \
        "$STATE/lab.json"
}

mark() { # LINK
    local namespace device hook
    read -r namespace device hook < <(tap_of "$1")
    nsenter --net="/run/netns/$namespace" nft -f - <<END
table netdev ecn_test {
  chain ecn_mark {
    type filter hook $hook device "$device" priority -400
    ip6 nexthdr { 4, 41, 43 } ip6 ecn != not-ect counter
    ip6 ecn != not-ect ip6 ecn set ce
  }
}
END
}

unmark() { # LINK
    local namespace
    read -r namespace _ < <(tap_of "$1")
    nsenter --net="/run/netns/$namespace" nft delete table netdev ecn_test
}

steered_over() { # LINK: RoCE packets that the marker has seen
    local namespace
    read -r namespace _ < <(tap_of "$1")
    nsenter --net="/run/netns/$namespace" nft -j list table netdev ecn_test |
        jq '[.nftables[].rule?.expr[]?.counter?.packets // empty] | add'
}

# What the switch behind LINK sends on, probes and steered packets alike. Sets capture_pid.
capture() { # LINK FILE
    local namespace
    read -r namespace _ < <(tap_of "$1")
    : >"$WORK/tcpdump"
    nsenter --net="/run/netns/$namespace" tcpdump -i any -Q out -j host --time-stamp-precision=nano -s 128 -B 8192 \
        -w "$2" ip6 2>"$WORK/tcpdump" &
    capture_pid=$!
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        grep -q listening "$WORK/tcpdump" && return
        sleep 0.05
    done
    cat "$WORK/tcpdump"
    exit 1
}

# Milliseconds from the first packet that is marked to the last one to the address that is.
stayed_ms() { # FILE HOST
    python3 - "$1" "$(port_field "$2" ipv4)" "$(port_field "$2" ipv6)" <<'END'
import ipaddress, struct, sys
data = open(sys.argv[1], "rb").read()
wanted = [ipaddress.ip_address(text).packed for text in sys.argv[2:]]
header = {1: 14, 113: 16, 276: 20}[struct.unpack_from("=I", data, 20)[0]]
first = last = None
marked = 0
at = 24
while at + 16 <= len(data):
    seconds, nanoseconds, size, _ = struct.unpack_from("=IIII", data, at)
    packet = data[at + 16 + header:at + 16 + size]
    at += 16 + size
    if len(packet) < 60 or packet[0] >> 4 != 6 or (packet[1] >> 4) & 3 != 3:
        continue
    now = seconds * 10**9 + nanoseconds
    first = now if first is None else first
    if packet[6] in (4, 41, 43) and any(address in packet[40:] for address in wanted):
        last, marked = now, marked + 1
    elif packet[6] not in (4, 41, 43, 17):
        continue
print("nothing was marked" if first is None else "%.2f %d" % (0 if last is None else (last - first) / 1e6, marked))
END
}

events_of() { # KIND: "flow" lines on all agents
    local host
    for host in "${RANKS[@]}"; do
        ctl "$host" events --json | jq -r -s ".[] | (.events? // [.])[] | select(.kind == \"$1\").subject"
    done
}

away() { # HOST FLOW: takes its backup because of marks
    ctl "$1" why "$2" --json | true_of '.parts[0] | .state == "backup" and .ecn'
}

says_why() { # HOST FLOW LINK
    ctl "$1" why "$2" | grep "part 1 of 1 is on its backup path because .* over.* $3 .*came back marked (ECN)"
}

# By the part, and by the link out of the leaf that it took then.
cnps_counted() { # HOST FLOW
    ctl "$1" flows --json | true_of ".flows[] | select(.flow == \"$2\").parts[0].cnps > 0" &&
        ctl "$1" links --json | true_of '[.links[].cnps] | add > 0' &&
        ctl "$1" why "$2" | grep "congestion notifications (CNPs) came for part 1"
}

says_after_cnps() { # HOST FLOW
    ctl "$1" events --json | jq -e -s --arg flow "$2" '[.[] | (.events? // [.])[] | select(.subject == $flow)]
        | any(.kind == "cnps") and any(.kind == "ecn_left" and (.text | contains("after CNPs")))'
}

# leaves LINK HOST FLOW: the flow of HOST over LINK.
leaves() {
    local link=$1 host=$2 flow=$3 before ms packets
    before=$(events_of ecn_left | wc -l)
    capture "$link" "$WORK/pcap"
    mark "$link"
    check "$link marks: $flow leaves it" eventually away "$host" "$flow"
    sleep 0.3
    kill -INT "$capture_pid"
    wait "$capture_pid"
    read -r ms packets < <(stayed_ms "$WORK/pcap" "${flow#*>}")
    leave_ms+=("$ms")
    echo "        $flow stayed for $ms ms; $packets of its packets were marked"
    check "why says it of $flow" says_why "$host" "$flow" "$link"
    check "no other flow moved" equal $(($(events_of ecn_left | wc -l) - before)) 1
}

marked_is_seen() { # HOST LINK
    ctl "$1" links --json | true_of ".links[] | select(.link == \"$2\").ecn_ppm >= 500000"
}

grows_no_more() { # LINK
    local before
    before=$(steered_over "$1")
    sleep 0.5
    equal "$(steered_over "$1")" "$before"
}

at_most_two_moves() {
    equal "$(events_of flow_moved | sort | uniq -c | awk '$1 > 2')" ""
}

raise_lab "$FABRIC"
submit h0 "$JOB"
check "before, no flow has moved because of marks" equal "$(events_of ecn_left)" ""
load
leaves "leaf0>spine0" h0 "h0>h2"
check "links shows the marks" marked_is_seen h0 "leaf0>spine0"
check "nothing steered crosses it" grows_no_more "leaf0>spine0"
sleep $STEADY_SECONDS
check "under steady marks it moved once" equal "$(events_of ecn_left)" "h0>h2"
check "and stays away" away h0 "h0>h2"
unmark "leaf0>spine0"
leaves "spine1>leaf3" h2 "h2>h6"
unmark "spine1>leaf3"
leaves "leaf2>spine2" h4 "h4>h0"
unmark "leaf2>spine2"
leaves "spine3>leaf2" h6 "h6>h4"
unmark "spine3>leaf2"
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "nothing is lost" nothing_lost
for flow in "h0>h2" "h2>h6" "h4>h0" "h6>h4"; do
    check "CNPs for $flow are counted by its path" cnps_counted "${flow%>*}" "$flow"
    check "and were what made it look" says_after_cnps "${flow%>*}" "$flow"
done
sleep $AWAY_SECONDS
check "a flow that left stays away for most of a minute" away h6 "h6>h4"
load
PATIENCE=60
check "then all return" eventually all_steer
check "under load" load_runs
check "all bytes are delivered" load_ended
check "nothing is lost on the way back" nothing_lost
check "no flow moved more than twice" at_most_two_moves
check "no link was thought down" equal "$(events_of link_down)" ""
echo "        left after ms: ${leave_ms[*]}"
check "three of four left their links within 10 ms" between "$(printf '%s\n' "${leave_ms[@]}" | jq -s 'sort | .[2]')" 0 10
verdict
