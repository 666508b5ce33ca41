#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# trace names the links that a flow takes: while only that flow sends, the kernel's counters of exactly these grow.
# Then one host of a job sends at a fraction of the others' pace: every host of the job names it, and the history of its
# uplink has what it sent.
. "$(dirname "$0")/agent_common.sh"

FLOW='h0>h2'
PACKETS=4000

links_of() { # FLOW
    ctl "${1%%>*}" trace "$1" --json | jq -r '.parts[].hops[].link' | sort
}

# Links over which steered packets went since the counters in FILE, with at least that many packets.
grown() { # FILE PACKETS
    "$LAB" counters --json | jq -r --slurpfile was "$1" --argjson least "$2" '
        ($was[0].links | map({(.link): .steered_packets}) | add) as $before
        | .links[] | select(.steered_packets - $before[.link] >= $least).link' | sort
}

first_hop_is_known() {
    ctl h0 trace "$FLOW" --json | true_of '.parts[0].hops[0].loops | .loops > 0 and .age_ns < 1e10'
}

told() { # HOST KIND SUBJECT
    ctl "$1" events --json | jq -s '.[] | (.events? // [.])[]' | jq -s 'any(.[]; .kind == "'"$2"'" and .subject == "'"$3"'")' |
        true_of .
}

names_slow() { # HOST PORT
    ctl "$1" jobs --json | true_of ".jobs[0].pace.slow | length == 1 and .[0].port == \"$2\""
}

has_rate() { # HOST LINK LOW HIGH: median of the last seconds in which it sent; before those it sent something else
    between "$(ctl "$1" history "$2" --since 5s --json |
        jq '[.links[0].points[].rate_bps // 0 | select(. > 0)] | sort | .[length / 2 | floor] // 0')" "$3" "$4"
}

raise_lab "$FABRIC"
submit h0 "$JOB"

# ---- the links
"$LAB" counters --json >"$WORK/before"
receive h2 --for 60s
send h0 --to h2 --bytes $((PACKETS * 1024)) --rate 8000000
received h2
check "$FLOW was delivered" true_of .complete <(jq '.flows[0]' "$WORK/send-h0")
check "exactly the links that trace names have carried it" equal "$(grown "$WORK/before" $((PACKETS * 9 / 10)) | paste -sd' ')" \
    "$(links_of "$FLOW" | paste -sd' ')"
check "no other link has carried much of it" equal "$(grown "$WORK/before" $((PACKETS / 10)) | paste -sd' ')" \
    "$(links_of "$FLOW" | paste -sd' ')"

check "own loops cross the first links of it" first_hop_is_known

# ---- who stays behind
for host in "${RANKS[@]}"; do
    receive "$host" --for 120s
done
for host in "${RANKS[@]}"; do
    rate=4000000
    [ "$host" != h4 ] || rate=1500000
    "$LAB" exec "$host" -- "$TRAFFIC" send --job "$JOB" --fabric "$FABRIC" --host "$host" --duration 30s \
        --rate-total $rate --mtu 512 --ack-timeout 500ms --timeout 60s --json >"$WORK/send-$host" 2>&1 &
    load_pids+=($!)
done
PATIENCE=25
for host in "${RANKS[@]}"; do
    check "$host names the rank that stays behind" eventually names_slow "$host" h4
done
check "and it is an event" told h0 rank_slow h4
check "jobs says it in a sentence" grep "SLOW test: rank 2 (h4) sends" <(ctl h6 jobs)
check "the history of h0's uplink has its rate" has_rate h0 'h0>leaf0' 3000000 5000000
check "and that of h4's" has_rate h4 'h4>leaf2' 1000000 2000000
wait "${load_pids[@]}"
load_pids=()
for host in "${RANKS[@]}"; do
    received "$host"
done
verdict
