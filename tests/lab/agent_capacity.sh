#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A link of the lab carries half of its rate, and loses no probe. Trains find it: which link, which direction and how much,
# and plans give it less; when it is whole again, so is what is believed of it. The job's own traffic makes no link look slow.
. "$(dirname "$0")/agent_common.sh"

CAPPED="leaf0>spine1"
NAMED_WITHIN_S=10
LOAD_BPS=6000000
LOAD_ROUNDS=26

for_all_agents() { # adds the key to each configuration, and lets the agents read it
    local host
    for host in "${HOSTS[@]}"; do
        printf 'capacity:\n  interval_ms: 1000\n  packets: 40\n' >>"$STATE/$host/agent.yaml"
        kill -HUP "$(agent_pid "$host")"
    done
}

capacity_of() { # HOST LINK
    ctl "$1" links --json | jq ".links[] | select(.link == \"$2\").capacity"
}

half_on() { between "$(capacity_of "$1" "$CAPPED")" 0.425 0.575; }
half_for_all() { on_all half_on @; }
others_whole_on() {
    equal "$(ctl "$1" links --json | jq -c "[.links[] | select(.link != \"$CAPPED\" and .capacity < 1).link]")" "[]"
}
all_whole_on() { equal "$(ctl "$1" links --json | jq -c '[.links[] | select(.capacity < 1).link]')" "[]"; }
all_whole() { on_all all_whole_on @; }
trains_on() { status_is "$1" '.probe.trains_sent > 20'; }

# When a host came to believe it, in nanoseconds of the wall clock: looking costs more time than this took.
named_at() { # HOST
    date +%s%N -d "$(ctl "$1" events --json | jq -r -s "[.[] | (.events? // [.])[] | select(.kind == \"capacity\" and .subject == \"$CAPPED\").at][0]")"
}

# How many packets of the job's crossed the capped link, of 100 that left its leaf, in some seconds.
share_of_load() {
    "$LAB" counters --json >"$WORK/before"
    sleep 4
    "$LAB" counters --json >"$WORK/after"
    jq -n --arg link "$CAPPED" --slurpfile before "$WORK/before" --slurpfile after "$WORK/after" '
        def up: .[0].links | map(select(.link | startswith("leaf0>spine")) | {key: .link, value: .steered_packets}) | from_entries;
        ($before | up) as $b | ($after | up | with_entries(.value -= $b[.key])) as $grown
        | ($grown | add) as $all | if $all > 0 then 100 * $grown[$link] / $all | round else -1 end'
}

raise_lab "$FABRIC"
submit h0 "$JOB"
for_all_agents
PATIENCE=40 check "trains run on all hosts" eventually on_all trains_on @
check "all links are whole" all_whole

load
sleep 4
check "under load all are still whole" all_whole
whole_share=$(share_of_load)
echo "        $whole_share % of what leaf0 sends up crosses $CAPPED"

"$LAB" cap leaf0 spine1 25Mbps --one-way >/dev/null
capped_at=$(date +%s%N)
PATIENCE=30 check "half of its rate is found of $CAPPED" eventually half_on h0
check "on all hosts" on_all half_on @
took=$((($(named_at h0) - capped_at) / 1000000))
echo "        after $took ms: $(capacity_of h0 "$CAPPED")"
check "within $NAMED_WITHIN_S s" between $took 0 $((NAMED_WITHIN_S * 1000))
check "of no other link, in either direction" on_all others_whole_on @
check "no link is thought down" equal "$(ctl h0 links --json | jq -c '[.links[] | select(.state != "up").link]')" "[]"
capped_share=$(share_of_load)
echo "        $capped_share % of what leaf0 sends up crosses it now"
check "load has moved off it" between "$capped_share" 0 "$(jq -n "0.8 * $whole_share")"
check "there was load all the time" load_runs

check "all bytes are delivered" load_ended

"$LAB" cap leaf0 spine1 full --one-way >/dev/null
PATIENCE=40 check "whole again, it is found so" eventually all_whole
verdict
