# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# One srv6-agent per host, in its network namespace: $STATE/<host>/agent.{yaml,sock,log,pid,start}.
# agent.start holds the process's start time, so that a number that the kernel gave to another
# process since is never signalled.

# Agents must run when their probes are due, as k8s/srv6-agent.service asks for on real hosts.
readonly GOSSIP_PORT=7946 SEED_COUNT=3 STOP_SECONDS=5 AGENT_PRIORITY=20

host_names() {
    lab_query '.nodes[] | select(.kind == "host").node'
}

need_host() {
    [ "$(lab_query 'any(.nodes[]; .node == $n and .kind == "host")' --arg n "$1")" = true ] ||
        die $FAILED "no such host in the lab" "$1"
}

start_time() { # PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1
    shift 19
    echo "$1"
}

# Prints the pid of a host's agent when it lives and is ours.
agent_pid() { # HOST
    local directory=$STATE/$1 pid
    pid=$(cat "$directory/agent.pid" 2>/dev/null) || return 1
    [ "$(start_time "$pid")" = "$(cat "$directory/agent.start" 2>/dev/null)" ] || return 1
    echo "$pid"
}

write_agent_config() { # HOST
    lab_query '
        (.nodes | map(select(.kind == "host"))) as $hosts
        | ($hosts[] | select(.node == $host)) as $self
        | "# written by srv6-lab up; an agent of the lab",
          "host: \($host)",
          "fabric: \(.path | @json)",
          "socket: \($state)/\($host)/agent.sock",
          "log:",
          "  level: info",
          "  file: \($state)/\($host)/agent.log",
          "gossip:",
          "  listen: \"tcp://\($self.mgmt):\($port)\"",
          "  seeds:",
          ($hosts[:$seeds | tonumber][] | "    - \"tcp://\(.mgmt):\($port)\""),
          (if $curve != "" then
              "  curve:",
              "    secret_key_file: \($state)/keys/\($host).secret",
              "    fleet_keys_file: \($state)/keys/fleet.keys"
           else empty end),
          "nic:",
          "  driver: ebpf",
          "  pin_dir: \($pins)/\($host)",
          "  on_exit: leave",
          "  ports:",
          ($self.ports[] | "    - port: \(.port)", "      device: \(.device)"),
          "probe:",
          "  interval_ms: 3",
          "  backend: auto",
          (if $algorithm != "" then "algorithm: \($algorithm)" else empty end)' \
        --arg host "$1" --arg state "$STATE" --arg port $GOSSIP_PORT --arg seeds $SEED_COUNT \
        --arg curve "$CURVE" --arg pins "$PINS" --arg algorithm "$ALGORITHM" \
        >"$STATE/$1/agent.yaml"
}

start_agent() { # HOST
    local host=$1 directory=$STATE/$1
    agent_pid "$host" >/dev/null && return
    setsid chrt -r $AGENT_PRIORITY nsenter --net="/run/netns/$PREFIX$host" "$BIN/srv6-agent" \
        --config "$directory/agent.yaml" </dev/null >>"$directory/agent.log" 2>&1 9>&- &
    echo $! >"$directory/agent.pid"
    start_time $! >"$directory/agent.start"
}

signal_agent() { # HOST SIGNAL
    local pid
    pid=$(agent_pid "$1") || return 1
    kill "-$2" "$pid"
}

# stop_agents HOST...: asks all, then waits for all; who does not go is killed.
stop_agents() {
    local host tries
    for host; do
        signal_agent "$host" TERM
    done
    for ((tries = 0; tries < STOP_SECONDS * 20; tries++)); do
        for host; do
            agent_pid "$host" >/dev/null && sleep 0.05 && continue 2
        done
        break
    done
    for host; do
        signal_agent "$host" KILL && say "did not stop when asked, killed" "agent of $host"
        rm -f "$STATE/$host/agent.pid" "$STATE/$host/agent.start"
    done
}

stop_all_agents() {
    local -a hosts
    mapfile -t hosts < <(host_names)
    stop_agents "${hosts[@]}"
}

make_keys() {
    local host address
    while read -r host address; do
        "$BIN/srv6-ctl" keys generate --out "$STATE/keys" --host "$host" \
            --address "tcp://$address:$GOSSIP_PORT" >/dev/null 2>"$STATE/why" || fail_up "CURVE keys"
    done < <(lab_query '.nodes[] | select(.kind == "host") | "\(.node) \(.mgmt)"')
}

agent_answers() { # HOST
    "$BIN/srv6-ctl" --socket "$STATE/$1/agent.sock" status --check >/dev/null 2>&1
}

# Waits until every agent answers and is healthy; names those that are not.
await_agents() { # SECONDS HOST...
    local deadline=$(($(date +%s%N) + $(jq -n "$1 * 1e9 | floor")))
    local host
    local -a missing
    shift
    while :; do
        missing=()
        for host; do
            agent_answers "$host" || missing+=("$host")
        done
        [ ${#missing[@]} -gt 0 ] || return 0
        [ "$(date +%s%N)" -lt "$deadline" ] || break
        set -- "${missing[@]}"
        sleep 0.1
    done
    for host in "${missing[@]}"; do
        say "the agent is not healthy, see $STATE/$host/agent.log" "$host"
    done
    return 1
}

# steers HOST JOBS: does its agent know that many jobs and steer every flow that leaves its leaf?
steers() {
    "$BIN/srv6-ctl" --socket "$STATE/$1/agent.sock" status --json 2>/dev/null |
        jq -e --argjson jobs "$2" '.jobs >= $jobs and .flows.plain == 0' >/dev/null
}

# Submits the job at the first host and waits until the gossip has brought it to all, and all steer.
submit_job() { # HOST...
    local host jobs deadline
    local -a missing=("$@")
    "$BIN/srv6-ctl" --socket "$STATE/$1/agent.sock" job submit "$JOB" >/dev/null 2>"$STATE/why" ||
        die $FAILED "the job was not taken; the lab stays up: $(head -n 1 "$STATE/why")" "$JOB"
    jobs=$("$BIN/srv6-ctl" --socket "$STATE/$1/agent.sock" status --json | jq .jobs)
    deadline=$(($(date +%s%N) + $(jq -n "$(seconds_of "$WAIT") * 1e9 | floor")))
    while [ ${#missing[@]} -gt 0 ]; do
        [ "$(date +%s%N)" -lt "$deadline" ] ||
            die $TIMED_OUT "not all hosts steer the job's flows after $WAIT" "${missing[*]}"
        set -- "${missing[@]}"
        missing=()
        for host; do
            steers "$host" "$jobs" || missing+=("$host")
        done
        [ ${#missing[@]} -eq 0 ] || sleep 0.1
    done
}

raise_agents() {
    local host
    local -a hosts
    [ -x "$BIN/srv6-agent" ] || fail_up "no srv6-agent beside srv6-lab, build it or say --no-agents"
    if ! mountpoint -q /sys/fs/bpf; then
        mount -t bpf bpf /sys/fs/bpf 2>"$STATE/why" || fail_up "cannot mount /sys/fs/bpf"
        echo mounted >"$STATE.bpffs"
    fi
    mapfile -t hosts < <(host_names)
    mkdir -p "$PINS"
    [ -z "$CURVE" ] || make_keys
    for host in "${hosts[@]}"; do
        mkdir -p "$STATE/$host"
        write_agent_config "$host"
        start_agent "$host"
    done
    await_agents "$(seconds_of "$WAIT")" "${hosts[@]}" ||
        die $TIMED_OUT "not all agents are healthy after $WAIT; the lab stays up for you to look"
    [ -z "$JOB" ] || submit_job "${hosts[@]}"
}

command_agent() {
    take_arguments 2 2
    allow_options --wait
    local host=${ARGUMENTS[1]} verb=${ARGUMENTS[2]}
    case $verb in
        start | stop | kill | restart) ;;
        *) usage_error "agent: wanted: agent HOST start|stop|kill|restart" ;;
    esac
    need_root
    need_lab
    take_lock
    need_host "$host"
    [ -e "$STATE/$host/agent.yaml" ] ||
        die $FAILED "this lab was raised with --no-agents" "$host"
    case $verb in
        start) start_agent "$host" ;;
        stop) stop_agents "$host" ;;
        kill) signal_agent "$host" KILL || die $FAILED "its agent does not run" "$host" ;;
        restart)
            stop_agents "$host"
            start_agent "$host"
            ;;
    esac
}
