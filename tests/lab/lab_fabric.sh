#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The lab's switches do what the model says: every uSID path, hairpins and loops, exact counters; up
# and down leave things as they found them.
. "$(dirname "$0")/lab_common.sh"

raise "$FABRIC"

ping_count() { # FROM ADDRESS COUNT: how many came back
    "$LAB" exec "$1" -- ping -q -c "$3" -i 0.02 -W 1 -s 1000 "$2" | sed -n 's/.* \([0-9]*\) received.*/\1/p'
}

for spine in spine0 spine1 spine2 spine3; do
    steer h0 h5 "$(walk "$FABRIC" "h0>leaf0,leaf0>$spine,$spine>leaf2,leaf2>h5")"
    before=$(counter "leaf0>$spine" steered_packets)
    check "packets take the path over $spine and arrive" equal \
        "$(ping_count h0 "$(port_field h5 ipv6)" 5)" 5
    check "the kernel counts them on the uplink to $spine" equal \
        $(($(counter "leaf0>$spine" steered_packets) - before)) 5
done
# 1000 bytes of data, ICMPv6 8, inner 40, outer 40, Ethernet 14; the same wherever it is counted.
check "bytes on an uplink are whole frames" equal "$(counter 'leaf0>spine3' steered_bytes)" 5510
check "bytes to the host are whole frames" equal "$(counter 'leaf2>h5' steered_bytes)" 22040
check "bytes from the host are whole frames" equal "$(counter 'h0>leaf0' steered_bytes)" 22040

loop() { # LINKS: is a UDP packet of h0 that walks them back on its own uSID?
    local sid own
    sid=$(walk "$FABRIC" "$1")
    own=$(port_field h0 sid)
    "$LAB" exec h0 -- python3 - "$sid" "$own" <<'END'
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_UDP, 101, 1)  # no checksum: the destination changes on the way
s.setsockopt(socket.SOL_UDP, 102, 1)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xc0)
s.bind((sys.argv[2], 0))
s.settimeout(1)
s.sendto(b"probe", (sys.argv[1], s.getsockname()[1]))
try:
    sys.exit(0 if s.recv(100) == b"probe" else 1)
except TimeoutError:
    sys.exit(1)
END
}
if command -v python3 >/dev/null; then
    check "a hairpin over a spine comes back" loop "h0>leaf0,leaf0>spine1,spine1>leaf0,leaf0>h0"
    check "a loop over four links comes back" loop \
        "h0>leaf0,leaf0>spine1,spine1>leaf2,leaf2>spine2,spine2>leaf0,leaf0>h0"
    "$LAB" cut leaf2 spine2 --one-way >"$WORK/cut"
    check "the loop does not come back over a link that is cut" refuses 1 loop \
        "h0>leaf0,leaf0>spine1,spine1>leaf2,leaf2>spine2,spine2>leaf0,leaf0>h0"
    check "the other direction of the cut link still carries" loop \
        "h0>leaf0,leaf0>spine2,spine2>leaf2,leaf2>spine1,spine1>leaf0,leaf0>h0"
    "$LAB" heal >"$WORK/heal"
fi
check "IPv4 that nobody steers is routed" equal "$(ping_count h1 "$(port_field h6 ipv4)" 3)" 3

check "a second lab of the prefix is refused" refuses 7 "$LAB" up "$FABRIC" --no-agents
check "an unknown node is told" refuses 1 "$LAB" exec nobody -- true
check "a wrong option is a matter of usage" refuses 2 "$LAB" down --for 3s
check "a command's exit code is handed on" refuses 33 "$LAB" exec h0 -- sh -c 'exit 33'
check "status is JSON with all nodes" equal "$("$LAB" status --json | jq '.nodes | length')" 16

"$LAB" down
check "down leaves no namespace" equal "$(ip netns list | grep -c "^$SRV6_LAB_PREFIX")" 0
check "down leaves no state" refuses 1 test -e "$STATE"
check "down twice is fine" "$LAB" down
check "without a lab there is no status" refuses 1 "$LAB" status

printf 'version: 1\nname: x\n' >"$WORK/bad.yaml"
check "a fabric file with errors raises nothing" refuses 1 "$LAB" up "$WORK/bad.yaml" --no-agents
check "and leaves nothing" refuses 1 test -e "$STATE"
verdict
