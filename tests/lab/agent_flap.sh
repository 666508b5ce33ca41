#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A link goes down and up up to ten times a second, under load. Flows leave it once and stay away, all is delivered, and no agent
# announces that the link is up more than a few times. Once the link stands, all come back.
. "$(dirname "$0")/agent_common.sh"

FLAP_SECONDS=12
UP_MAX=8 # announced in a minute, of all agents and both directions

announced() { # KIND: of all agents, about the link that flaps
    local host sum=0
    for host in "${HOSTS[@]}"; do
        sum=$((sum + $(ctl "$host" events --json | jq -s "[.[] | (.events? // [.])[] | select(.kind == \"$1\"
            and (.subject == \"leaf0>spine0\" or .subject == \"spine0>leaf0\"))] | length")))
    done
    echo $sum
}

moved() { # flows, on all agents
    local host sum=0
    for host in "${RANKS[@]}"; do
        sum=$((sum + $(ctl "$host" events --json | jq -s '[.[] | (.events? // [.])[] | select(.kind == "flow_moved")] | length')))
    done
    echo $sum
}

# Lets packets of a link that was cut pass and not, ten times a second, and leaves it cut.
flap() { # LINK: appends to $WORK/flaps for each time it was up
    local id namespace end=$((SECONDS + FLAP_SECONDS)) policy
    read -r id namespace < <(jq -r --arg link "$1" '.links[] | select(.link == $link) | "\(.id) \(.tap.namespace)"' \
        "$STATE/lab.json")
    while [ $SECONDS -lt $end ]; do
        for policy in accept drop; do
            nsenter --net="/run/netns/$namespace" nft "chain netdev srv6_cut_$id drop_all { policy $policy; }" || return 1
            [ $policy = drop ] || echo up >>"$WORK/flaps"
            sleep 0.03 # and what nft takes
        done
    done
}

state_is() { # HOST STATE
    equal "$(field "$1" links '.links[] | select(.link == "leaf0>spine0").state')" "$2"
}

raise_lab "$FABRIC"
submit h0 "$JOB"
load
"$LAB" cut leaf0 spine0 >"$WORK/cut"
check "all agents believe the link down" eventually on_all state_is @ down
sleep 0.5
moved_first=$(moved)
flap "leaf0>spine0" &
first=$!
flap "spine0>leaf0" &
check "one direction flaps" wait $first
check "the other flaps" wait $!
count=$(($(wc -l <"$WORK/flaps") / 2))
ups=$(announced link_up)
echo "        $count flaps in $FLAP_SECONDS s; link_up announced $ups times, belief_up $(announced belief_up)"
check "it flapped several times a second" between $count $((2 * FLAP_SECONDS)) $((20 * FLAP_SECONDS))
check "it was announced to be up $UP_MAX times at most" between "$ups" 0 $UP_MAX
check "for all it stayed down" between "$(announced belief_up)" 0 0
check "no flow moved again" equal "$(moved)" "$moved_first"
"$LAB" heal >"$WORK/heal"
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "all flows are complete" all_delivered
check "the link is up again for all" eventually on_all state_is @ up
check "the flows are back where they belong" eventually all_steer
verdict
