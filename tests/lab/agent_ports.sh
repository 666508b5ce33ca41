#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hosts with several ports, in rails and in two planes: every flow leaves by its port and is steered, a cut link of the
# second port's leaf loses it its flows, and the receivers get everything.
. "$(dirname "$0")/agent_common.sh"
HOSTS=(h0 h1 h2 h3)

steers_all() { # HOST STEERED LOCAL
    status_is "$1" ".healthy and .flows.steered == $2 and .flows.local == $3 and .flows.plain == 0 and .flows.backup == 0"
}

avoids() { # HOST LINK...: no part of a flow on one of these
    local host=$1
    shift
    equal "$(ctl "$host" flows --json | jq -r '.flows[].parts[].nodes | . as $nodes | range(1; length)
        | ($nodes[. - 1] + ">" + $nodes[.]) | select(IN($ARGS.positional[]))' --args "$@")" ""
}

down_are() { # HOST LINKS
    equal "$(field "$1" links '.links[] | select(.state == "down").link' | sort | paste -sd' ')" "$2"
}

send_all() { # JOB TEXT: all hosts send to all, and all of it arrives
    local host pids=() code=0
    for host in "${HOSTS[@]}"; do
        receive "$host" --for 40s
    done
    for host in "${HOSTS[@]}"; do
        "$LAB" exec "$host" -- "$TRAFFIC" send --job "$1" --fabric "$FABRIC" --host "$host" --rate-total 8Mbps \
            --mtu 1024 --qps 4 --timeout 30s --json >"$WORK/send-$host" 2>&1 &
        pids+=($!)
    done
    for host in "${pids[@]}"; do
        wait "$host" || code=1
    done
    for host in "${HOSTS[@]}"; do
        received "$host" || code=1
    done
    check "$2" equal "$code" 0
    check "$2: every flow is complete" true_of -s 'map(.flows[]) | all(.complete)' \
        $(printf "$WORK/recv-%s " "${HOSTS[@]}")
}

ports_case() { # FABRIC STEERED LOCAL CUT-FROM CUT-TO
    local name=$1 steered=$2 local_flows=$3 from=$4 to=$5
    FABRIC=$ROOT/tests/fabrics/$name.yaml
    JOB=$WORK/$name.yaml
    printf 'version: 1\njob: all\nranks: all\ncollectives:\n  - {type: alltoall, bytes: 1MiB}\n' >"$JOB"
    raise_lab "$FABRIC" --job "$JOB"
    check "$name: every flow of every port is steered" eventually on_all steers_all @ "$steered" "$local_flows"
    send_all "$JOB" "$name: all ports send and receive"
    "$LAB" cut "$from" "$to" >"$WORK/cut"
    check "$name: all agents believe $from-$to down and no other" eventually on_all down_are @ \
        "$(printf '%s\n' "$from>$to" "$to>$from" | sort | paste -sd' ')"
    check "$name: nobody uses it" eventually on_all avoids @ "$from>$to" "$to>$from"
    send_all "$JOB" "$name: all ports send and receive around the cut"
    "$LAB" heal >"$WORK/heal"
    check "$name: healed, all flows are as before" eventually on_all down_are @ ""
    "$LAB" down >"$WORK/down"
}

ports_case lab-rail 10 2 leaf1 spine0
ports_case lab-dual-plane 4 2 leaf2 spine2
verdict
