#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The software eSwitch on real packets:  softcx.sh DIRECTORY-OF-TEST-PROGRAMS
#
#   vm (v0) --- t0 = vport 1 [softcx] uplink = w0 --- (l0) leaf       three network namespaces;
#                      r0  \  kernel  /  f0                           the middle one routes r0 - f0
#
# First without rules (all is slow path), then with rules that a small program makes through the
# unmodified libmlx5 on the emulated device. Exit 77: cannot run here.
set -u
bin=$1
here=$(cd "$(dirname "$0")" && pwd)
skip() { echo "skipped: $1"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
for tool in ip ping python3 nsenter; do
    command -v "$tool" >/dev/null || skip "needs $tool"
done
[ -c /dev/net/tun ] || skip "needs /dev/net/tun"

run=scx$$
work=$(mktemp -d)
failures=0 checks=0 card='' rules='' rules_in='' rules_out='' answer=''

in_ns() { nsenter --net=/run/netns/$run-"$1" -- "${@:2}"; }
be_in_ns() { exec nsenter --net=/run/netns/$run-"$1" -- "${@:2}"; } # for "... &": $! is the program
quietly() { "$@" >/dev/null 2>&1; }
finish() {
    for pid in $rules $card $(jobs -p); do quietly kill -9 "$pid"; done
    for name in vm host leaf; do quietly ip netns del $run-$name; done
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
contains() { [[ "$1" == *"$2"* ]] || { echo "         expected: ..$2.."; echo "         got:      $1"; false; }; }
wait_for() { # SECONDS COMMAND...
    for _ in $(seq $(($1 * 20))); do "${@:2}" && return 0; sleep 0.05; done
    return 1
}

# --- the network -----------------------------------------------------------------------------------

build() {
    local name
    for name in vm host leaf; do
        ip netns add $run-$name && ip -n $run-$name link set lo up || skip "cannot make network namespaces"
    done
    ip -n $run-host link add t0 mtu 4300 type veth peer name v0 mtu 4300 netns $run-vm
    ip -n $run-host link add w0 mtu 4240 type veth peer name l0 mtu 4240 netns $run-leaf
    ip -n $run-vm link set v0 address 02:00:00:00:09:02 up
    ip -n $run-leaf link set l0 up
    ip -n $run-vm addr add 10.9.1.2/24 dev v0
    ip -n $run-vm addr add fd09:1::2/64 dev v0 nodad
    ip -n $run-leaf addr add 10.9.2.2/24 dev l0
    ip -n $run-leaf addr add fd09:2::2/64 dev l0 nodad
}

start_card() {
    be_in_ns host "$bin/softcx" --socket "$work/card" --port vport:1=t0 --port uplink=w0 \
        --rep uplink=f0 --rep vport:1=r0 --stats "$work/stats" >"$work/ready" 2>"$work/card.err" &
    card=$!
    wait_for 10 grep -qs ready "$work/ready" || { cat "$work/card.err"; echo "softcx does not start"; exit 1; }
    ip -n $run-host link set r0 address 02:00:00:00:09:01
    ip -n $run-host addr add 10.9.1.1/24 dev r0
    ip -n $run-host addr add fd09:1::1/64 dev r0 nodad
    ip -n $run-host addr add 10.9.2.1/24 dev f0
    ip -n $run-host addr add fd09:2::1/64 dev f0 nodad
    in_ns host sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    for version in -4 -6; do
        ip -n $run-vm $version route replace default via "$([ $version = -4 ] && echo 10.9.1.1 || echo fd09:1::1)"
        ip -n $run-leaf $version route replace default via "$([ $version = -4 ] && echo 10.9.2.1 || echo fd09:2::1)"
    done
}

stats() { # PYTHON-EXPRESSION of s, the card's statistics
    "$bin/softcx" --socket "$work/card" --query | python3 -c "import json, sys; s = json.load(sys.stdin); print(($1))"
}
no_drops='sum(s["drops"].values()) + sum(sum(p["drops"].values()) for p in s["ports"])'

start_rules() {
    mkdir -p "$work/fakecx"
    coproc rules_program { FAKECX_DIR=$work/fakecx FAKECX_CARD=$work/card LD_PRELOAD=$bin/libfakecx.so \
        exec "$bin/softcx_rules" 2>"$work/rules.err"; }
    rules=$rules_program_PID rules_out=${rules_program[0]} rules_in=${rules_program[1]}
    read -r -t 10 answer <&"$rules_out" || { cat "$work/rules.err"; answer=''; }
    [ "$answer" = ready ]
}
ask() { # LINE...: the last answer is in $answer
    answer='no answer'
    for line in "$@"; do
        echo "$line" >&"$rules_in" && read -r -t 10 answer <&"$rules_out"
    done 2>/dev/null
}
asked() { ask "$1"; contains "$answer" ok; }

# frames NAMESPACE-THAT-LISTENS DEVICE COMMAND...: what was heard is in $work/heard.
frames() {
    local listener
    rm -f "$work/heard"
    be_in_ns "$1" "$here/softcx_frames" listen "$2" >"$work/heard" 2>&1 &
    listener=$!
    wait_for 10 grep -qs listening "$work/heard"
    "${@:3}"
    kill $listener # which hears to the end what is on its way
    wait $listener
}
heard() { tail -n 1 "$work/heard" | python3 -c "import json, sys; h = json.load(sys.stdin); print(($1))"; }
from_vm() { in_ns vm "$here/softcx_frames" send v0 "$@"; }
from_leaf() { in_ns leaf "$here/softcx_frames" tunnel l0 "$@"; }

tcp() { # NAMESPACE-OF-SERVER ADDRESS NAMESPACE-OF-CLIENT: 8 MB pass
    rm -f "$work/tcp"
    in_ns "$1" timeout 20 python3 -c '
import socket
server = socket.create_server(("::", 7001), family=socket.AF_INET6, dualstack_ipv6=True); print("up", flush=True); client, _ = server.accept(); got = 0
while data := client.recv(1 << 16): got += len(data)
print(got)' >"$work/tcp" &
    local server=$!
    wait_for 10 grep -qs up "$work/tcp"
    in_ns "$3" timeout 20 python3 -c '
import socket, sys
with socket.create_connection((sys.argv[1], 7001), 10) as s: s.sendall(bytes(8 << 20))' "$2"
    wait $server
    equal "$(tail -n 1 "$work/tcp")" $((8 << 20))
}

# Outer headers of paths 1 and 2: DSCP 26, ECN 2, hop limit 64, IPv4 inside.
outer() { echo "02000000010202000000010186dd66a00000000004""40fd000000000000000000000000000001fd0000000000000000000000000000$1"; }

slow_path() {
    check "ping passes through the representors" quietly in_ns vm ping -c 3 -W 2 10.9.2.2
    check "ND and IPv6 pass, with packets of 3000 bytes" quietly in_ns vm ping -c 3 -W 2 -s 3000 fd09:2::2
    check "the leaf reaches the VM too" quietly in_ns leaf ping -c 3 -W 2 fd09:1::2
    check "TCP with the sender's offloads passes, VM to leaf" tcp leaf 10.9.2.2 vm
    check "and leaf to VM" tcp vm fd09:1::2 leaf
    frames leaf l0 from_vm 200 49153
    check "RoCE leaves plain" equal "$(heard 'h["plain"], h["outer"], h["bad"]')" "(200, {}, 0)"
    check "nothing was lost in the card, nothing steered" equal "$(stats "$no_drops, s['steered']")" "(0, 0)"
}

steered() {
    check "the emulated device opens and makes its tables" start_rules
    check "a flow is sent to a path that is not there yet" asked "flow 49153 1"
    frames leaf l0 from_vm 100 49153
    check "a miss in the path table is slow path" equal "$(heard 'h["plain"], h["bad"]')" "(100, 0)"
    check "a path is made" asked "path 1 $(outer 01)"
    frames leaf l0 from_vm 5000 49153
    check "every frame has the outer headers, its length, and its inner bytes" \
        equal "$(heard 'h["outer"], h["plain"], h["bad"], h["missing"], h["backwards"]')" \
        "({'$(outer 01)': 5000}, 0, 0, 0, 0)"
    ask "counter 1"
    check "the firmware's counter, read by DEVX, says so" equal "$answer" "ok 5000 $((5000 * (14 + 40 + 1024)))"
    frames leaf l0 from_vm 100 49154
    check "another source port leaves plain" equal "$(heard 'h["plain"], h["outer"]')" "(100, {})"
    check "ping passes" quietly in_ns vm ping -c 2 -W 2 10.9.2.2
    check "TCP passes" tcp leaf 10.9.2.2 vm
}

moves() {
    local number
    for number in $(seq 50); do
        ask "path 1 $(outer 0$((number % 2 + 1)))"
        [ "$answer" = ok ] || echo "move $number: $answer"
        sleep 0.02
    done
}
moved_under_load() { # the load in the background: a subshell has no coprocess
    from_vm 20000 49153 1024 2 &
    moves
    wait $!
}

moving() {
    frames leaf l0 moved_under_load
    check "50 path moves under load lose nothing and keep the order" \
        equal "$(heard 'sum(h["outer"].values()), len(h["outer"]), h["plain"], h["bad"], h["missing"], h["backwards"]')" \
        "(20000, 2, 0, 0, 0, 0)"
}

decapsulation() {
    check "decapsulation rules are made" asked "decap 02000000090202000000090a0800"
    frames vm v0 from_leaf 300 2
    check "the inner packet arrives with its new Ethernet header" \
        equal "$(heard 'h["ethernet"], h["ecn"], h["bad"]')" "({'02000000090202000000090a0800': 300}, {'2': 300}, 0)"
    frames vm v0 from_leaf 300 3
    check "CE of the outer header is CE of the inner one, whose checksum holds" \
        equal "$(heard 'h["ecn"], h["bad"], h["plain"]')" "({'3': 300}, 0, 300)"
}

mtu() {
    frames leaf l0 from_vm 10 49153 4160
    check "what fits with its outer headers leaves" equal "$(heard 'sum(h["outer"].values())')" 10
    frames leaf l0 from_vm 10 49153 4161
    check "one byte more is dropped and counted" \
        equal "$(heard 'sum(h["outer"].values()), h["plain"]') $(stats '[p["drops"]["mtu"] for p in s["ports"]]')" \
        "(0, 0) [0, 10]"
}

rate() {
    frames leaf l0 from_vm 20000 49153 4096
    check "20000 frames of 4 KiB, as fast as the sender can, arrive in order" \
        equal "$(heard 'sum(h["outer"].values()), h["bad"], h["missing"], h["backwards"]')" "(20000, 0, 0, 0)"
}

empty() { [ "$(stats 's["objects"], s["programmed"]')" = "(0, False)" ]; }
ends() {
    check "a second process is refused" contains \
        "$(FAKECX_DIR=$work FAKECX_CARD=$work/card LD_PRELOAD=$bin/libfakecx.so "$bin/softcx_rules" 2>&1 </dev/null)" \
        "does not take this process: Device or resource busy"
    kill -9 "$rules"
    wait "$rules" 2>/dev/null
    check "the card is empty when its programmer is gone" wait_for 5 empty
    frames leaf l0 from_vm 100 49153
    check "what a process made goes with it: RoCE leaves plain" equal "$(heard 'h["plain"], h["outer"]')" "(100, {})"
    check "another process may come" start_rules
    kill "$card"
    wait "$card"
    check "the card ends with 0 and leaves its statistics" equal "$? $(python3 -c "
import json; print(json.load(open('$work/stats'))['programmed'])")" "0 True"
    card=''
    ask "flow 49153 1"
    wait "$rules" 2>/dev/null
    check "a process whose card is gone ends with a sentence" contains "$(cat "$work/rules.err")" \
        "libfakecx: the card at $work/card is lost"
}

build
start_card
slow_path
steered
moving
decapsulation
mtu
rate
ends
echo "$checks checks, $failures failed"
[ $failures = 0 ]
