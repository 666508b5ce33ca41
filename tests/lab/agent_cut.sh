#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A link is cut under load, both ways and each way alone. Carriers stay up, so only probes see it. Flows on it move,
# everything is delivered, nobody else loses anything, and all agents blame the right direction and no other.
. "$(dirname "$0")/agent_common.sh"

# The job's flows that the plan puts on directed links, one name a line.
flows_on() { # LINK...
    "$SIM" plan --fabric "$FABRIC" --job "$JOB" --json | jq -r '.flows[] | . as $flow | .paths[].nodes
        | . as $nodes | select(any(range(1; length); ($nodes[. - 1] + ">" + $nodes[.]) | IN($ARGS.positional[])))
        | $flow.src + ">" + $flow.dst' --args "$@" | sort -u
}

links_in_state() { # HOST STATE
    field "$1" links ".links[] | select(.state == \"$2\").link" | sort | paste -sd' '
}

down_are() { # HOST LINKS
    equal "$(links_in_state "$1" down)" "$2"
}

why_says() { # HOST LINK STATE
    equal "$(ctl "$1" links --why "$2" --json | jq -r 'if .links then .links[0] else . end | .state')" "$3" &&
        ctl "$1" links --why "$2" | grep "^$2: $3: "
}

nothing_on() { # LINK...: no agent has a part of a flow on one of these
    local host
    for host in "${RANKS[@]}"; do
        equal "$(ctl "$host" flows --json | jq -r '.flows[].parts[].nodes | . as $nodes | range(1; length)
            | ($nodes[. - 1] + ">" + $nodes[.]) | select(IN($ARGS.positional[]))' --args "$@")" "" || return 1
    done
}

all_up() {
    local host
    for host in "${HOSTS[@]}"; do
        equal "$(links_in_state "$host" up | wc -w)" 32 && healthy "$host" || return 1
    done
}

lost_by_others() { # FLOW...: packets that flows not named have lost
    jq '[.flows[] | select(.flow | IN($ARGS.positional[]) | not).lost] | add // 0' "$WORK/load" --args "$@"
}

# cut_case TEXT FROM TO OPTION DOWN...: directions that must be found down
cut_case() {
    local text=$1 from=$2 to=$3 option=$4 link
    shift 4
    local -a hit
    mapfile -t hit < <(flows_on "$@")
    check "$text: the plan has flows on it" between ${#hit[@]} 1 11
    load
    "$LAB" cut "$from" "$to" $option >"$WORK/cut"
    check "$text: all agents believe these down and no other" eventually on_all down_are @ "$(printf '%s\n' "$@" | sort | paste -sd' ')"
    check "$text: its flows have other paths" eventually nothing_on "$@"
    check "$text: there was load all the time" load_runs
    check "$text: all bytes are delivered" load_ended
    check "$text: all flows are complete" all_delivered
    check "$text: who does not use it loses nothing" equal "$(lost_by_others "${hit[@]}")" 0
    check "$text: still no other link is down" on_all down_are @ "$(printf '%s\n' "$@" | sort | paste -sd' ')"
    for link in "$from>$to" "$to>$from"; do
        if [[ " $* " == *" $link "* ]]; then
            check "$text: links --why says that $link is down" on_all why_says @ "$link" down
        else
            check "$text: links --why says that $link is up" on_all why_says @ "$link" up
        fi
    done
    load
    "$LAB" heal >"$WORK/heal"
    check "$text: all links are up again on all agents" eventually all_up
    check "$text: the flows are back where they belong" eventually all_steer
    check "$text: the way back" load_ended
    check "$text: loses nothing" nothing_lost
}

raise_lab "$FABRIC"
submit h0 "$JOB"
cut_case "both ways" leaf0 spine0 "" "leaf0>spine0" "spine0>leaf0"
cut_case "only up" leaf1 spine1 --one-way "leaf1>spine1"
cut_case "only down" spine2 leaf3 --one-way "spine2>leaf3"
verdict
