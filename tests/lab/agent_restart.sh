#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Agents die, are started again, and leave, all under load: no packet is lost and none goes plain that need not.
. "$(dirname "$0")/agent_common.sh"

complete() { # HOST: knows everything, and its NIC holds three pairs of rules (IPv4 and IPv6)
    status_is "$1" '.healthy and .joined and .members.alive == 8 and .jobs == 1 and .flows.steered == 3 and .flows.plain == 0
        and .nic.ports[0].rules == 6'
}

all_complete() {
    local host
    for host in "${RANKS[@]}"; do
        complete "$host" || return 1
    done
}

sees() { # HOST STATE OTHER...: these members are in that state, for HOST
    local host=$1 state=$2
    shift 2
    equal "$(field "$host" members ".members[] | select(.state == \"$state\").name" | sort | paste -sd' ')" "$*"
}

owner_is_not() { # HOST NAME
    [ "$(field "$1" jobs '.jobs[0].owner')" != "$2" ] && equal "$(field "$1" jobs '.jobs | length')" 1
}

grows() { # VALUE-BEFORE VALUE-AFTER
    [ "$2" -gt "$1" ] || {
        echo "$1, then $2"
        return 1
    }
}

steering_goes_on() { # TEXT: the kernel counts steered packets now
    local before
    before=$(steered_packets)
    sleep 0.5
    check "$1" grows "$before" "$(steered_packets)"
}

towards_are() { # HOST TO STATE: all parts of HOST>TO are in that state
    equal "$(field "$1" flows ".flows[] | select(.flow == \"$1>$2\").parts[].state" | sort -u)" "$3"
}

load_was_fine() { # TEXT
    check "$1: there was load all the time" load_runs
    check "$1: all bytes are delivered" load_ended
    check "$1: no packet is lost" nothing_lost
}

raise_lab "$FABRIC"
submit h0 "$JOB"
plain=$(plain_packets)

load
check "the owner's agent is killed" "$LAB" agent h0 kill
check "another agent is killed" "$LAB" agent h2 kill
steering_goes_on "flows stay steered without agents"
check "others see both dead" eventually sees h4 dead h0 h2
check "and the job has a new owner" eventually owner_is_not h4 h0
load_was_fine "kill -9"

load
"$LAB" agent h0 start
"$LAB" agent h2 start
check "the new agents know everything" eventually all_complete
check "they adopted the rules" grep -q 'rules_adopted' "$STATE/h2/agent.log"
load_was_fine "start"
check "no packet went plain" equal "$(plain_packets)" "$plain"
check "one owner of the job" equal "$(for host in "${HOSTS[@]}"; do field "$host" jobs '.jobs[].owner'; done | sort -u | wc -l)" 1

load
check "SIGTERM, on_exit leave" "$LAB" agent h4 stop
steering_goes_on "flows stay steered when an agent leaves"
check "others see that it left" eventually sees h0 left h4
load_was_fine "leave"
"$LAB" agent h4 start
check "after a start all is as before" eventually all_complete

sed -i 's/on_exit: leave/on_exit: remove/' "$STATE/h6/agent.yaml"
"$LAB" agent h6 restart
check "restarted with on_exit remove" eventually all_complete
load
check "SIGTERM, on_exit remove" "$LAB" agent h6 stop
for host in h0 h2 h4; do
    check "$host sends plain to it" eventually towards_are $host h6 plain
done
check "its rules are gone" refuses 1 test -e "$PINS/h6/v1/destinations"
load_was_fine "remove"
"$LAB" agent h6 start
check "after a start all is as before" eventually all_complete

"$LAB" down
check "no pins are left after down" refuses 1 test -e "$PINS"
check "no agent is left after down" equal "$(pgrep -f -c "srv6-agent --config $STATE/")" 0
verdict
