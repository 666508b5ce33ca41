#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Something breaks at a random place, and the agents name it: a cut direction, a cable cut both ways, 1 % of loss one way
# (nft), a slow link (tbf with a standing queue), a dead spine, a dead NIC. What they name is taken from their event streams; it must be
# right in place and direction, and nothing else may be named.
#
#   agent_diagnosis.sh BIN SOURCE [--cases N] [--seed S] [--busy SECONDS]
#
# N cases, of all kinds in turn (6), from a printed seed, which says the first kind, too; --busy: before them, a healthy
# fabric under load on all cores, in which nothing may be named (5).
. "$(dirname "$0")/agent_common.sh"
shift 2
CASES=6 SEED=$RANDOM BUSY=5
while [ $# -gt 0 ]; do
    case $1 in
    --cases) CASES=$2 ;;
    --seed) SEED=$2 ;;
    --busy) BUSY=$2 ;;
    *)
        echo "unknown option $1"
        exit 2
        ;;
    esac
    shift 2
done
RANDOM=$SEED
KINDS=(cut loss slow spine nic cable)
# Localization, not liveness: link_down of the prober is judged only where nothing is cut.
VERDICTS='link_dead|link_lossy|link_slow|nic_suspect|leaf_suspect|spine_suspect|loss_unknown'
WARM_SECONDS=5
# Of 1,000 octets, 24 make 127 rounds of 0.8 ms each: 2.4 s. A little more often, so that the queue never runs dry.
QUEUE_MBPS=10
QUEUE_PACKETS=24
QUEUE_SECONDS=1.1 # after the second that ping waits
NOWHERE=2001:db8:dead::
stressors=()
loss_seconds=()
slow_pid=
set -o pipefail

tap_of() { # LINK: namespace, device and hook
    jq -r --arg link "$1" '.links[] | select(.link == $link) | "\(.tap.namespace) \(.tap.device) \(.tap.hook)"' \
        "$STATE/lab.json"
}

# Lines "host seconds kind subject": verdicts since a moment (seconds since 1970).
verdicts_since() { # MOMENT
    local host
    for host in "${HOSTS[@]}"; do
        ctl "$host" events --json | jq -r --arg host "$host" --argjson since "$1" --arg kinds "$VERDICTS" '
            (.events? // [.])[] | select(.kind | test("^(" + $kinds + ")$"))
            | (.at | sub("\\.(?<f>[0-9]+)Z$"; "Z") | fromdateiso8601) as $whole
            | ($whole + ((.at | capture("\\.(?<f>[0-9]+)Z$") | "0." + .f | tonumber))) as $at
            | select($at >= $since) | "\($host) \($at - $since) \(.kind) \(.subject)"' || return 1
    done
}

now() { date +%s.%N; }

random_link() { # a directed link between switches
    local leaf=leaf$((RANDOM % 4)) spine=spine$((RANDOM % 4))
    if [ $((RANDOM % 2)) = 0 ]; then echo "$leaf>$spine"; else echo "$spine>$leaf"; fi
}

lose() { # LINK
    local namespace device hook
    read -r namespace device hook < <(tap_of "$1")
    nsenter --net="/run/netns/$namespace" nft -f - <<END
table netdev diagnosis_test {
  chain lossy {
    type filter hook $hook device "$device" priority -450;
    numgen random mod 100 < 1 counter drop
  }
}
END
}

heal() { # KIND PLACE
    local namespace
    case $1 in
    loss)
        read -r namespace _ < <(tap_of "$2")
        nsenter --net="/run/netns/$namespace" nft delete table netdev diagnosis_test
        ;;
    slow) unslow "$2" ;;
    spine | nic) revive_node "$2" ;;
    *) "$LAB" heal >/dev/null ;;
    esac
}

# The sender's end of a link: namespace and device.
out_of() { # LINK
    jq -r --arg link "$1" '.links[] | select(.link == $link) | "\(.namespace) \(.device)"' "$STATE/lab.json"
}

# The sender's end of a link, and the receiver's address there.
hop_of() { # LINK
    local namespace device
    read -r namespace device < <(out_of "$1")
    echo "$namespace $device $(nsenter --net="/run/netns/$namespace" ip -j -6 neigh show dev "$device" nud permanent |
        jq -r '.[0].dst')"
}

# A standing queue without loss, in the flows' class: packets that two routes send to and fro over the link until their
# hops are used up, through a slow bucket. It stands however seldom the program that adds packets gets to run.
slow() { # LINK
    local from device far to back near
    read -r from device far < <(hop_of "$1")
    read -r to back near < <(hop_of "${1#*>}>${1%>*}")
    nsenter --net="/run/netns/$from" tc qdisc replace dev "$device" parent 1:20 \
        tbf rate ${QUEUE_MBPS}mbit burst 2000 limit 200000 &&
        nsenter --net="/run/netns/$from" ip -6 route add $NOWHERE/64 via "$far" dev "$device" onlink &&
        nsenter --net="/run/netns/$to" ip -6 route add $NOWHERE/64 via "$near" dev "$back" onlink || return 1
    while :; do
        nsenter --net="/run/netns/$from" ping -6 -q -t 255 -s 952 -c $QUEUE_PACKETS -i 0.002 -W 1 ${NOWHERE}1
        sleep $QUEUE_SECONDS
    done >/dev/null 2>&1 &
    slow_pid=$!
}

stands() { # LINK: packets wait before it
    local from device
    read -r from device < <(out_of "$1")
    nsenter --net="/run/netns/$from" tc -j -s qdisc show dev "$device" | true_of 'map(select(.kind == "tbf"))[0].qlen > 4'
}

unslow() { # LINK
    local from device to
    read -r from device < <(out_of "$1")
    read -r to _ < <(out_of "${1#*>}>${1%>*}")
    kill "$slow_pid" 2>/dev/null
    wait "$slow_pid" 2>/dev/null
    nsenter --net="/run/netns/$from" ip -6 route del $NOWHERE/64
    nsenter --net="/run/netns/$to" ip -6 route del $NOWHERE/64
    nsenter --net="/run/netns/$from" tc qdisc replace dev "$device" parent 1:20 bfifo limit 65536
}

# All links of a node, both ways: in one transaction for each namespace, first where most of them end, so that what dies,
# dies at once.
kill_node() { # NODE
    local namespace
    for namespace in $(node_taps "$1" | cut -d ' ' -f 1 | sort | uniq -c | sort -rn | awk '{print $2}'); do
        {
            echo 'table netdev diagnosis_test {'
            node_taps "$1" | awk -v n="$namespace" '$1 == n {
                print "chain c" NR " { type filter hook " $3 " device \"" $2 "\" priority -450; counter drop; }"}'
            echo '}'
        } | nsenter --net="/run/netns/$namespace" nft -f - || return 1
    done
}

revive_node() { # NODE
    local namespace
    for namespace in $(node_taps "$1" | cut -d ' ' -f 1 | sort -u); do
        nsenter --net="/run/netns/$namespace" nft delete table netdev diagnosis_test
    done
}

node_taps() { # NODE: lines "namespace device hook"
    jq -r --arg n "$1" '.links[] | select(.from == $n or .to == $n).tap | "\(.namespace) \(.device) \(.hook)"' \
        "$STATE/lab.json"
}

# Forgets all verdicts: diagnosis off and on again, as SIGHUP applies it.
forget() {
    local host pid rate
    for rate in 0 100; do
        for host in "${HOSTS[@]}"; do
            sed -i '/^diagnosis:/,$d' "$STATE/$host/agent.yaml"
            printf 'diagnosis:\n  probes_per_second: %s\n' $rate >>"$STATE/$host/agent.yaml"
            pid=$(agent_pid "$host")
            kill -HUP "$pid"
        done
        sleep 1
    done
}

wait_for() { # MOMENT KIND SUBJECT(S, a pattern) SECONDS
    local deadline=$((SECONDS + $4))
    while [ $SECONDS -lt $deadline ]; do
        verdicts_since "$1" >"$WORK/verdicts"
        grep -qE " $2 ($3)\$" "$WORK/verdicts" && return
        sleep 0.5
    done
    echo "not named; what was: $(cat "$WORK/verdicts")"
    return 1
}

only() { # KIND SUBJECT: nothing else was named
    grep -vE " $1 ($2)\$" "$WORK/verdicts" && return 1
    return 0
}

run_case() { # KIND
    local kind=$1 place verdict subject since seconds
    place=$(random_link)
    subject=$place
    since=$(now)
    case $kind in
    cut)
        verdict=link_dead
        "$LAB" cut "${place%>*}" "${place#*>}" --one-way >/dev/null
        ;;
    cable)
        verdict=link_dead
        subject="$place|${place#*>}>${place%>*}"
        "$LAB" cut "${place%>*}" "${place#*>}" >/dev/null
        ;;
    loss)
        verdict=link_lossy
        lose "$place"
        ;;
    slow)
        verdict=link_slow
        check "a queue is made at $place" slow "$place"
        check "and stands" eventually stands "$place"
        since=$(now)
        ;;
    spine)
        place=spine$((RANDOM % 4)) verdict=spine_suspect subject=$place
        kill_node "$place"
        ;;
    nic)
        place=h$((RANDOM % 8)) verdict=nic_suspect subject=$place
        kill_node "$place"
        ;;
    esac
    check "$kind at $place is named" wait_for "$since" "$verdict" "$subject" 30
    seconds=$(awk -v k="$verdict" -v s="^($subject)\$" '$3 == k && $4 ~ s {print $2}' "$WORK/verdicts" | sort -n | head -1)
    echo "        $kind at $place: first named after ${seconds:-no} s by $(grep -cE " $verdict ($subject)\$" "$WORK/verdicts") times"
    [ "$kind" != loss ] || loss_seconds+=("${seconds:-99}")
    sleep 2
    verdicts_since "$since" >"$WORK/verdicts"
    check "and nothing else is" only "$verdict" "$subject"
    [ "$kind" = nic ] || explained "$kind" "$subject"
    heal "$kind" "$place"
    forget
    sleep $WARM_SECONDS
}

# Somebody who named it explains it, with numbers.
explained() { # KIND SUBJECT
    local host link
    [ "$1" = spine ] && return
    read -r host link < <(awk -v s="^($2)\$" '$4 ~ s {print $1, $4; exit}' "$WORK/verdicts")
    [ -n "$host" ] || return
    check "links --why on $host explains it" eval "ctl $host links --why '$link' | grep -E 'Diagnosis: this host found that .*(loses [0-9.]+ %|takes [0-9.]+ us longer)'"
}

nothing_named() { # MOMENT
    verdicts_since "$1" >"$WORK/verdicts" && equal "$(cat "$WORK/verdicts")" ""
}

busy() { # SECONDS: all cores
    local core
    for ((core = 0; core < $(nproc); core++)); do
        timeout "$1" sh -c 'while :; do :; done' &
        stressors+=($!)
    done
    sleep "$1"
    wait "${stressors[@]}"
}

echo "seed $SEED, $CASES cases"
raise_lab "$FABRIC"
on_all healthy @ >/dev/null || eventually on_all healthy @
sleep $WARM_SECONDS
since=$(now)
busy "$BUSY"
check "with all cores busy for $BUSY s nothing is named" nothing_named "$since"
for ((i = 0; i < CASES; i++)); do
    run_case "${KINDS[(SEED + i) % ${#KINDS[@]}]}"
done
[ ${#loss_seconds[@]} -eq 0 ] || printf '%s\n' "${loss_seconds[@]}" | jq -s -r 'sort | "        1 % of loss named after \(add / length) s (mean), " +
    "\(.[((length * 95 + 99) / 100 | floor) - 1]) s (p95) of \(length)"'
verdict
