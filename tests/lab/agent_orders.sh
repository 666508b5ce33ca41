#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an operator orders: drains under load, capacities, jobs; and what is refused, with its exit code and reason.
. "$(dirname "$0")/agent_common.sh"

says() { # CODE PATTERN COMMAND...: exit code and a line of its errors
    local code=$1 pattern=$2
    shift 2
    "$@" >"$WORK/said" 2>&1
    equal $? "$code" && grep -e "$pattern" "$WORK/said" || {
        cat "$WORK/said"
        return 1
    }
}

drained_are() { # HOST LINKS
    equal "$(field "$1" links '.links[] | select(.state == "drained").link' | sort | paste -sd' ')" "$2"
}

avoided() { # NODE: no part of a flow of the job goes over it
    local host
    for host in "${RANKS[@]}"; do
        equal "$(ctl "$host" flows --json | jq "[.flows[].parts[].nodes[] | select(. == \"$1\")] | length")" 0 || return 1
    done
}

nothing_between() { # FROM TO
    local host
    for host in "${RANKS[@]}"; do
        equal "$(ctl "$host" flows --json | jq "[.flows[].parts[].nodes | . as \$n | range(1; length)
            | select([\$n[. - 1], \$n[.]] | sort == ([\"$1\", \"$2\"] | sort))] | length")" 0 || return 1
    done
}

rates_are() { # HOST RATES: of leaf0-spine3
    equal "$(field "$1" links '.links[] | select(.link == "leaf0>spine3" or .link == "spine3>leaf0").rate_bps' | paste -sd' ')" "$2"
}

jobs_are() { # HOST NAMES
    equal "$(field "$1" jobs '.jobs[].job' | paste -sd' ')" "$2"
}

all_steer_somewhere() {
    local host
    for host in "${RANKS[@]}"; do
        status_is "$host" '.flows.total == 3 and .flows.plain == 0' || return 1
    done
}

all_links_are_up() {
    on_all drained_are @ "" && all_steer
}

raise_lab "$FABRIC"
submit h0 "$JOB"

load
check "a link is drained" ctl h4 link drain leaf0-spine1
check "all agents know it" eventually on_all drained_are @ "leaf0>spine1 spine1>leaf0"
check "no flow uses it" eventually nothing_between leaf0 spine1
check "links --why names the order" says 0 'drain' ctl h0 links --why 'leaf0>spine1'
check "it is undrained" ctl h4 link undrain leaf0-spine1
check "all is as before" eventually all_links_are_up
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "a drain and its end lose nothing" nothing_lost

load
check "a switch is drained" ctl h1 node drain spine2
check "no flow uses it" eventually avoided spine2
check "it is undrained" ctl h1 node undrain spine2
check "all is as before" eventually all_links_are_up
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "draining a switch loses nothing" nothing_lost

# The last way of a leaf.
for spine in spine0 spine1 spine2; do
    check "leaf1-$spine is drained" ctl h0 link drain leaf1-$spine
done
check "all agents know them" eventually on_all drained_are @ \
    "leaf1>spine0 leaf1>spine1 leaf1>spine2 spine0>leaf1 spine1>leaf1 spine2>leaf1"
check "the last link of a leaf is refused" says 7 'leaf1 would lose its last live link' ctl h0 link drain leaf1-spine3
check "one direction of it too" says 7 'leaf1 would lose its last live link' ctl h0 link drain 'leaf1>spine3'
check "and its switch" says 7 'leaf1 would lose its last live link' ctl h3 node drain spine3
check "and no capacity at all" says 7 'leaf1 would lose its last live link' ctl h0 link set leaf1-spine3 --capacity 0
check "nothing of it happened" on_all drained_are @ \
    "leaf1>spine0 leaf1>spine1 leaf1>spine2 spine0>leaf1 spine1>leaf1 spine2>leaf1"
check "the flows have a way" eventually all_steer_somewhere
for spine in spine0 spine1 spine2; do
    check "leaf1-$spine is undrained" ctl h0 link undrain leaf1-$spine
done
check "all is as before" eventually all_links_are_up

check "a capacity is set" ctl h2 link set leaf0-spine3 --capacity 10%
check "all agents know it, both ways" eventually on_all rates_are @ "5000000 5000000"
check "and set back" ctl h2 link set leaf0-spine3 --capacity 1
check "all agents know that" eventually on_all rates_are @ "50000000 50000000"

# ---- what is wrong is told
check "an unknown link" says 1 'no link leaf0-spine9' ctl h0 link drain leaf0-spine9
check "an unknown switch" says 1 'no node spine9' ctl h0 node drain spine9
check "a capacity without sense" says 2 'capacity' ctl h0 link set leaf0-spine3 --capacity 1.5
check "why of an unknown link" says 1 'leaf0>spine9' ctl h0 links --why 'leaf0>spine9'
check "why of an unknown flow" says 1 'h0>h99' ctl h0 why 'h0>h99'
check "an unknown job" says 1 'nothing' ctl h0 job remove nothing
check "a command that does not exist" says 2 'dance' ctl h0 dance
check "no agent there" says 3 'nowhere.sock' "$CTL" --socket "$WORK/nowhere.sock" status
printf 'version: 1\njob: bad\nranks: [h0, h99]\ncollectives:\n  - {type: alltoall, bytes: 1MiB}\n' >"$WORK/bad.yaml"
check "a job with an unknown rank" says 1 'h99' ctl h0 job submit "$WORK/bad.yaml"
printf 'version: 1\njob: bad\nalgorithm: guess\nranks: all\ncollectives:\n  - {type: alltoall, bytes: 1MiB}\n' >"$WORK/bad.yaml"
check "an unknown algorithm" says 1 'guess' ctl h0 job submit "$WORK/bad.yaml"
printf 'version: 1\njob: bad\nranks: [h0, h0]\ncollectives:\n  - {type: alltoall, bytes: 0}\n' >"$WORK/bad.yaml"
check "a job file with two errors: a rank" says 1 'bad.yaml:3.*h0' ctl h0 job submit "$WORK/bad.yaml"
check "and in the same pass the size" says 1 'bad.yaml:5.*bytes' ctl h0 job submit "$WORK/bad.yaml"
check "a job file that is not there" says 1 'absent.yaml' ctl h0 job submit "$WORK/absent.yaml"
check "none of it became a job" on_all jobs_are @ test

# ---- the job ends
check "a job is removed at a host that did not submit it" ctl h5 job remove test
check "every host has heard" eventually on_all jobs_are @ ""
check "and nobody steers" eventually on_all status_is @ '.flows.total == 0 and .nic.ports[0].rules == 0'
verdict
