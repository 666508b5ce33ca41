# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by roce_steering.sh. The driver is the one for ConnectX, and the unmodified library under it; the card is emulated
# (tests/support/fakecx, tests/support/softcx):
#
#   guest --- vf0 [ softcx ] wire --- leaf      vm0 and eth0 are the representors, what the host's kernel sees of both
#               vm0    eth0
#
# shellcheck disable=SC2034 # read by who sources this
GUEST_TAP=vf0
TESTS=$BIN/../tests # programs of the tests
CARD_PRIORITY=10    # no process delays a card
card_pids=()

driver_check() {
    local program
    for program in "$BIN/srv6-holder" "$TESTS/softcx" "$TESTS/libfakecx.so"; do
        [ -e "$program" ] || skip "built without the mlx5 driver: no $(basename "$program")"
    done
}

driver_host() { # NUMBER
    local host=h$1 mac
    mac=$(in_node "$host" ip -j link show dev eth0 | jq -r '.[0].address')
    in_node "$host" sh -e -c '
        ip tuntap add vf0 mode tap
        ip link set vf0 mtu "$1" up
        ip link set eth0 down
        ip link set eth0 name wire
        ip addr flush dev wire
        ip link set wire up' sh $MTU || return
    start_card "$host" && in_node "$host" ip link set eth0 address "$mac" &&
        in_node "$host" ip link set $TAP address "02:00:00:00:0e:0$1" && forward_for_guest "$1" &&
        start_holder "$host" && write_agent_config "$1" "  driver: mlx5
  holder: $WORK/$host.holder
  ports: [{port: $host, device: eth0, vport: 1, mac: \"$(guest_mac "$1")\"}]"
}

start_card() { # HOST
    be_in_node "$1" chrt -r $CARD_PRIORITY "$TESTS/softcx" --socket "$WORK/$1.card" --port vport:1=vf0 --port uplink=wire \
        --rep uplink=eth0 --rep vport:1=$TAP --stats "$WORK/$1.stats" >"$WORK/$1.ready" 2>"$WORK/$1.softcx" &
    card_pids+=($!)
    eventually grep -q ready "$WORK/$1.ready" || cat_and_fail "$WORK/$1.softcx"
}

start_holder() { # HOST
    mkdir "$WORK/$1.fakecx"
    be_in_node "$1" env FAKECX_DIR="$WORK/$1.fakecx" FAKECX_NETDEV=eth0 FAKECX_CARD="$WORK/$1.card" \
        LD_PRELOAD="$TESTS/libfakecx.so" "$BIN/srv6-holder" --socket "$WORK/$1.holder" >"$WORK/$1.held" 2>&1 &
    card_pids+=($!)
    eventually test -S "$WORK/$1.holder" || cat_and_fail "$WORK/$1.held"
}

cat_and_fail() {
    cat "$1"
    return 1
}

driver_end() { # the holder before its card
    local i
    for ((i = ${#card_pids[@]} - 1; i >= 0; i--)); do
        kill "${card_pids[i]}" 2>/dev/null
        wait "${card_pids[i]}" 2>/dev/null
    done
}
