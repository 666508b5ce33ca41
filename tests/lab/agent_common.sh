# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the lab tests of the whole daemon. Waits have generous bounds and only end early or fail the
# check; nothing is judged by how long it took.
. "$(dirname "${BASH_SOURCE[0]}")/lab_common.sh"
CTL=$BIN/srv6-ctl
SIM=$BIN/srv6-sim
AGENT=$BIN/srv6-agent
PINS=/sys/fs/bpf/srv6/$(basename "$STATE")
PATIENCE=15 # seconds that a condition may take to come true
HOSTS=(h0 h1 h2 h3 h4 h5 h6 h7)
load_pids=()

# The job of most tests: an AlltoAll of one host of each leaf, so that every flow crosses the fabric and
# must be steered. 1 MiB a pair.
RANKS=(h0 h2 h4 h6)
JOB=$WORK/job.yaml
write_job() { # FILE NAME ALGORITHM: "-" leaves the algorithm to the agents
    printf 'version: 1\njob: %s\nranks: [h0, h2, h4, h6]\ncollectives:\n  - {type: alltoall, bytes: 4MiB}\n' \
        "$2" >"$1"
    [ "$3" = - ] || sed -i "s/^ranks/algorithm: $3\n&/" "$1"
}
write_job "$JOB" test -

ctl() { # HOST ARGUMENT...
    local host=$1
    shift
    "$CTL" --socket "$STATE/$host/agent.sock" "$@"
}

field() { # HOST COMMAND FILTER
    ctl "$1" "$2" --json | jq -r "$3"
}

# true_of FILTER [FILE]: unlike jq -e, no input is not true.
true_of() {
    equal "$(jq "$@")" true
}

status_is() { # HOST FILTER: a filter of `status` is true
    ctl "$1" status --json | true_of "$2"
}

on_all() { # COMMAND... with every host in place of @
    local host
    for host in "${HOSTS[@]}"; do
        "${@/#@/$host}" || {
            echo "not so on $host"
            return 1
        }
    done
}

eventually() { # COMMAND...: comes true; what it said last is the reason otherwise
    local deadline=$((SECONDS + PATIENCE))
    until "$@" >"$WORK/last" 2>&1; do
        [ $SECONDS -lt $deadline ] || {
            cat "$WORK/last"
            return 1
        }
        sleep 0.1
    done
}

# raise_lab FABRIC OPTION...: with agents; whatever came up is taken down at the end.
raise_lab() {
    trap end_lab EXIT
    trap 'exit 130' INT TERM
    "$LAB" up "$@" >"$WORK/up" 2>&1 && return
    cat "$WORK/up"
    grep -q -e 'this kernel' -e 'cannot make a network namespace' "$WORK/up" && skip "$(cat "$WORK/up")"
    exit 1
}

end_lab() {
    [ ${#load_pids[@]} -eq 0 ] || kill "${load_pids[@]}" 2>/dev/null
    finish
}

agent_pid() { # HOST
    "$LAB" status --json | jq ".agents[] | select(.host == \"$1\" and .alive).pid"
}

healthy() { # HOST
    ctl "$1" status --check
}

steers() { # HOST FLOWS: that many, all on their first choice
    status_is "$1" ".healthy and .flows.steered == $2 and .flows.plain == 0 and .flows.backup == 0"
}

all_steer() {
    local host
    for host in "${RANKS[@]}"; do
        steers "$host" 3 || {
            echo "$host does not steer: $(ctl "$host" status)"
            return 1
        }
    done
}

submit() { # HOST FILE
    ctl "$1" job submit "$2" >"$WORK/submit" || {
        cat "$WORK/submit"
        exit 1
    }
    eventually all_steer || exit 1
}

# ---- load: the job's flows, reliable, slow enough that no queue of the lab is ever full

LOAD_BPS=4000000
LOAD_SECONDS=90 # at most
LOAD_ROUND_SECONDS=3 # long beside the moment between two rounds, in which nothing can be lost
# load OPTION...: begins in the background and goes on, a round after the other, until load_ended, which leaves the
# report of the receivers in $WORK/load.
load() {
    local host scale
    scale=$(jq -n "$LOAD_ROUND_SECONDS * $LOAD_BPS / 8 / 3 / 1048576")
    for host in "${RANKS[@]}"; do
        receive "$host" --for ${LOAD_SECONDS}s
    done
    load_pids=()
    rm -f "$WORK/load-stop"
    for host in "${RANKS[@]}"; do
        send_rounds "$host" "$scale" "$@" &
        load_pids+=($!)
    done
    sleep 0.7 # until all flows have begun; nothing is wrong when they have not
}

send_rounds() { # HOST SCALE OPTION...
    local host=$1 scale=$2 round
    shift 2
    trap - EXIT
    for ((round = 0; round < LOAD_SECONDS * 2 / 3 / LOAD_ROUND_SECONDS; round++)); do
        [ ! -e "$WORK/load-stop" ] || exit 0
        "$LAB" exec "$host" -- "$TRAFFIC" send --job "$JOB" --fabric "$FABRIC" --host "$host" --scale "$scale" \
            --rate-total $LOAD_BPS --mtu 512 --qps 4 --ack-timeout 500ms --timeout 20s --json "$@" \
            >"$WORK/send-$host" 2>"$WORK/send-$host.error" || exit 1
    done
}

load_runs() { # at all hosts
    local pid
    for pid in "${load_pids[@]}"; do
        kill -0 "$pid" || return 1
    done
}

load_ended() { # fails when not all was delivered
    local pid host code=0
    touch "$WORK/load-stop"
    for pid in "${load_pids[@]}"; do
        wait "$pid" || code=1
    done
    load_pids=()
    for host in "${RANKS[@]}"; do
        received "$host" || code=1
    done
    jq -s 'map(.flows[]) | {flows: ., count: length, lost: (map(.lost) | add), reordered: (map(.reordered) | add),
        complete: all(.complete)}' $(printf "$WORK/recv-%s " "${RANKS[@]}") >"$WORK/load"
    [ $code = 0 ] || cat "$WORK"/send-*.error
    return $code
}

loss() { jq "$1" "$WORK/load"; }

all_delivered() {
    true_of '.complete and .count == 12' "$WORK/load" || {
        jq -c '.flows[] | select(.complete | not)' "$WORK/load"
        return 1
    }
}

nothing_lost() {
    all_delivered >/dev/null && equal "$(loss .lost)" 0 || {
        jq -r '.flows[] | select(.lost > 0) | "\(.flow) lost \(.lost)"' "$WORK/load"
        return 1
    }
}

plain_packets() { # RoCE packets that the NICs of the job's hosts sent without a path
    local host sum=0
    for host in "${RANKS[@]}"; do
        sum=$((sum + $(field "$host" status .nic.plain_roce)))
    done
    echo $sum
}

# What the kernel saw steered on the first links of the job's hosts.
steered_packets() {
    "$LAB" counters --json | jq '[.links[] | select(.link | test("^h[0246]>")).steered_packets] | add'
}

command -v python3 >/dev/null || skip "python3 is not installed"
