#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent of h0 steers through srv6-holder. Agents die and come back under load, and no packet is lost; the holder dies,
# and RoCE goes plain until it is back. The holder's NIC is the kernel's (ebpf), with its pins in a mount namespace of its
# own: they end with the holder, as an eSwitch's rules do.
. "$(dirname "$0")/agent_common.sh"
HOLDER=$BIN/srv6-holder
HOLDER_SOCKET=$WORK/holder.sock
HOLDER_LOG=$WORK/holder.log
holder_pid=

start_holder() {
    nsenter --net="/run/netns/${SRV6_LAB_PREFIX}h0" unshare --mount --propagation private sh -c \
        'mount -t bpf bpf /sys/fs/bpf && exec "$@"' sh "$HOLDER" --driver ebpf --socket "$HOLDER_SOCKET" --verbose \
        >>"$HOLDER_LOG" 2>&1 &
    holder_pid=$!
}

end_all() {
    [ -z "$holder_pid" ] || kill -KILL "$holder_pid" 2>/dev/null
    end_lab
}

serves() { # a holder is there
    [ -S "$HOLDER_SOCKET" ] && grep -q serving "$HOLDER_LOG"
}

sets_taken() { # sets that reached the holder's driver
    grep -c ': holds ' "$HOLDER_LOG"
}

complete() { # HOST
    status_is "$1" '.healthy and .joined and .members.alive == 8 and .jobs == 1 and .flows.steered == 3 and .flows.plain == 0
        and .nic.ports[0].rules == 6'
}

all_complete() {
    local host
    for host in "${RANKS[@]}"; do
        complete "$host" || return 1
    done
}

towards_are() { # HOST TO STATE: all parts of HOST>TO are in that state
    equal "$(field "$1" flows ".flows[] | select(.flow == \"$1>$2\").parts[].state" | sort -u)" "$3"
}

problem_is() { # TEXT: part of what h0 says about its NIC
    field h0 status '.nic.ports[0].problem // "none"' | grep -F "$1"
}

load_was_fine() { # TEXT
    check "$1: there was load all the time" load_runs
    check "$1: all bytes are delivered" load_ended
    check "$1: no packet is lost" nothing_lost
}

grows() { # VALUE-BEFORE VALUE-AFTER
    [ "$2" -gt "$1" ] || {
        echo "$1, then $2"
        return 1
    }
}

raise_lab "$FABRIC"
trap end_all EXIT
[ "$(field h0 status '.nic.ports[0].attachment')" = tcx ] ||
    skip "without tcx (Linux 6.6) filters outlive the process that the holder stands for"
sed -i 's/on_exit: leave/on_exit: remove/' "$STATE/h0/agent.yaml"
"$LAB" agent h0 restart
"$LAB" agent h0 stop # takes its programs away
sed -i -e "s|driver: ebpf|driver: mlx5|" -e "s|pin_dir: .*|holder: $HOLDER_SOCKET|" -e 's/on_exit: remove/on_exit: leave/' \
    "$STATE/h0/agent.yaml"

"$LAB" agent h0 start
check "an agent gossips without a holder" eventually status_is h0 '.joined and .members.alive == 8'
check "and says what is missing" eventually problem_is "no srv6-holder serves $HOLDER_SOCKET: start it"
check "its host is not healthy" refuses 4 healthy h0
start_holder
check "the holder serves" eventually serves
check "the agent finds it" eventually healthy h0
submit h0 "$JOB"
check "all flows are steered" eventually all_complete
check "the port says how" status_is h0 ".nic.driver == \"mlx5\" and .nic.holder == \"$HOLDER_SOCKET\"
    and .nic.ports[0].attachment == \"tcx\" and .nic.ports[0].problem == null"
plain=$(plain_packets)
before=$(field h0 status .nic.encapsulated)

load
check "packets are counted through the holder" eventually eval 'grows "$before" "$(field h0 status .nic.encapsulated)"'
taken=$(sets_taken)
check "the agent is killed" "$LAB" agent h0 kill
before=$(steered_packets)
sleep 0.5
check "its flows stay steered" grows "$before" "$(steered_packets)"
"$LAB" agent h0 start
check "the new agent knows everything" eventually all_complete
check "it adopted the rules" grep -q 'rules_adopted.* 6 rules' "$STATE/h0/agent.log"
check "and applied nothing" equal "$(sets_taken)" "$taken"
load_was_fine "kill -9 of the agent"
check "no packet went plain" equal "$(plain_packets)" "$plain"

load
for _ in 1 2 3; do
    "$LAB" agent h0 restart
    check "after a restart all is as before" eventually all_complete
done
check "and nothing was applied" equal "$(sets_taken)" "$taken"
load_was_fine "three restarts"

load
kill -KILL "$holder_pid"
check "the agent notices that the holder died" eventually problem_is "holder"
check "its host is not healthy" eventually refuses 4 healthy h0
for host in h2 h4 h6; do
    check "$host sends plain to it" eventually towards_are $host h0 plain
done
start_holder
check "a new holder gets the rules" eventually all_complete
check "there was a set" grows "$taken" "$(sets_taken)"
check "holder dead and back: all bytes are delivered" load_ended
check "what happened can be read" eval 'grep -q "nic_failed.*is gone, and all rules with it" "$STATE/h0/agent.log" &&
    grep -q "nic_restored" "$STATE/h0/agent.log"'

sed -i 's/on_exit: leave/on_exit: remove/' "$STATE/h0/agent.yaml"
"$LAB" agent h0 restart
check "restarted with on_exit remove" eventually all_complete
"$LAB" agent h0 stop
check "its rules are gone from the holder" eventually grep -q 'has left and taken 6 rules away' "$HOLDER_LOG"
kill -TERM "$holder_pid"
wait "$holder_pid"
check "the holder ends well" equal $? 0
holder_pid=
"$LAB" down
verdict
