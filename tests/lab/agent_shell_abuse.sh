#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One srv6-agent (NIC driver mem, in a network namespace of its own) against a hostile surrounding: too few
# file descriptors, SIGHUP storms, clients that leave in the middle of an answer, a hundred of them at once,
# a log on a full disk. usage: agent_shell_abuse.sh BIN-DIRECTORY SOURCE-DIRECTORY
set -u -o pipefail
BIN=$1
FABRIC=$2/tests/fabrics/lab-8.yaml
[ "$(id -u)" -eq 0 ] || { echo "skipped: needs root (a network namespace)"; exit 77; }
for tool in ip jq python3 setpriv prlimit; do
    command -v $tool >/dev/null || { echo "skipped: $tool is not installed"; exit 77; }
done
WORK=$(mktemp -d) || exit 1
SPACE=agent-abuse-$$
AGENT=
FAILURES=0
clean_up() {
    [ -n "$AGENT" ] && kill -KILL "$AGENT" 2>/dev/null
    ip netns del "$SPACE" 2>/dev/null
    rm -rf "$WORK"
}
trap clean_up EXIT
ip netns add "$SPACE" || { echo "skipped: no network namespace can be made here"; exit 77; }
ip -n "$SPACE" link set lo up
ip -n "$SPACE" link add mem0 type veth peer name mem1 || { echo "skipped: no veth devices here"; exit 77; }
ip -n "$SPACE" link set mem0 up
ip -n "$SPACE" link set mem1 up

check() { # SENTENCE COMMAND...
    local sentence=$1
    shift
    if "$@" >"$WORK/said" 2>&1; then
        echo "ok: $sentence"
    else
        echo "FAILED: $sentence: $(tail -n 20 "$WORK/said")"
        FAILURES=$((FAILURES + 1))
    fi
}

write_config() { # LOG-FILE
    cat >"$WORK/agent.yaml" <<YAML
host: h0
fabric: $FABRIC
socket: $WORK/agent.sock
log: {level: info, file: $1}
gossip: {listen: "tcp://127.0.0.1:7946"}
nic: {driver: mem, ports: [{port: h0, device: mem0}]}
probe: {interval_ms: 10}
YAML
}

in_space() { exec nsenter --net="/run/netns/$SPACE" "$@"; } # in a subshell: $! is then the command
ctl() { "$BIN/srv6-ctl" --socket "$WORK/agent.sock" "$@"; }
answers() { ctl status --json | jq -e '.host == "h0"' >/dev/null; }

start_agent() { # waits until it answers
    in_space "$BIN/srv6-agent" --config "$WORK/agent.yaml" 2>"$WORK/stderr" &
    AGENT=$!
    for _ in $(seq 100); do
        answers 2>/dev/null && return 0
        kill -0 "$AGENT" 2>/dev/null || break
        sleep 0.1
    done
    cat "$WORK/stderr"
    return 1
}

stop_agent() { # ends politely, with 0
    local code
    kill -TERM "$AGENT"
    wait "$AGENT"
    code=$?
    AGENT=
    [ $code -eq 0 ] || { echo "exit $code: $(cat "$WORK/stderr")"; return 1; }
}

too_few_descriptors() {
    local output code
    output=$(in_space timeout 20 prlimit --nofile=20:20 setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
        "$BIN/srv6-agent" --config "$WORK/agent.yaml" 2>&1)
    code=$?
    [ $code -eq 1 ] && [[ $output =~ srv6-agent:\ .*needs\ ([0-9]+)\ file\ descriptors,\ RLIMIT_NOFILE\ is\ 20 ]] &&
        [ "${BASH_REMATCH[1]}" -gt 20 ] || { echo "exit $code: $output"; return 1; }
}

hangup_at_once() { # the very first moments included
    local delay pid
    for delay in 0 0.002 0.005 0.01 0.02 0.05; do
        in_space env --default-signal=HUP "$BIN/srv6-agent" --config "$WORK/agent.yaml" 2>"$WORK/stderr" &
        pid=$!
        # Its timer tells that main() runs: before that, no program can catch a signal.
        for _ in $(seq 1000); do
            ls -l /proc/$pid/fd 2>/dev/null | grep -q timerfd && break
            kill -0 $pid || return 1
        done
        sleep $delay
        kill -HUP $pid
        sleep 0.2
        kill -HUP $pid || { echo "died of a SIGHUP $delay s after its start"; return 1; }
        kill -TERM $pid
        wait $pid || { echo "exit $? after a SIGHUP $delay s after its start"; return 1; }
    done
}

hangup_storm() {
    for _ in $(seq 500); do kill -HUP "$AGENT" || return 1; done
    answers && ctl events --json | jq -e 'any(.events[]; .kind == "reload" and (.text | startswith("configuration read anew")))' >/dev/null
}

storm_of_broken_files() { # SIGHUP while the file is being written, by halves
    cp "$WORK/agent.yaml" "$WORK/good.yaml"
    local size
    size=$(stat -c %s "$WORK/good.yaml")
    for i in $(seq 60); do
        head -c $((i * size / 60)) "$WORK/good.yaml" >"$WORK/agent.yaml"
        kill -HUP "$AGENT" || return 1
    done
    cp "$WORK/good.yaml" "$WORK/agent.yaml"
    kill -HUP "$AGENT"
    answers
}

clients() { # SCRIPT: python with `dial` and `ask`
    python3 - "$WORK/agent.sock" <<PYTHON
import json, socket, sys
def dial():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.settimeout(20)
    return s
def hear(s):
    text = b""
    while not text.endswith(b"\n"):
        try:
            piece = s.recv(1 << 16)
        except ConnectionResetError:
            piece = b""
        if not piece:
            break
        text += piece
    return json.loads(text)
ask = b'{"command":"links"}\n'
$1
PYTHON
}

leavers() { # in the middle of a request, of an answer, or while following
    clients '
for i in range(300):
    s = dial()
    s.send([ask[:i % len(ask)] or b"x", ask, ask, b"{\"command\":\"events\",\"arguments\":{\"follow\":true}}\n"][i % 4])
    if i % 4 in (1, 2) and i % 3 == 1:
        s.recv(1)
    s.close()
s = dial()
s.send(ask)
assert len(hear(s)["result"]["links"]) == 32
' && answers
}

hundred() { # each gets an answer or the sentence that there are too many
    clients '
open_ones = [dial() for _ in range(100)]
for s in open_ones:
    try:
        s.send(ask)
    except BrokenPipeError:
        pass
answers = [hear(s) for s in open_ones]
good = [a for a in answers if a["ok"] and len(a["result"]["links"]) == 32]
full = [a for a in answers if not a["ok"] and a["error"].startswith("too many clients") and a["exit"] == 1]
assert len(good) + len(full) == 100 and len(good) >= 64, (len(good), len(full))
' && answers
}

hundred_tools() { # one after the other as they come: a tool that is turned away says so
    local i pids=() bad=0
    for i in $(seq 100); do
        ctl links --json >"$WORK/out.$i" 2>"$WORK/err.$i" &
        pids+=($!)
    done
    for i in $(seq 100); do
        if wait "${pids[i - 1]}"; then
            [ "$(jq '.links | length' "$WORK/out.$i")" = 32 ] || bad=$((bad + 1))
        else
            grep -q 'too many clients' "$WORK/err.$i" || { cat "$WORK/err.$i"; bad=$((bad + 1)); }
        fi
    done
    [ $bad -eq 0 ] && answers
}

descriptors() { ls /proc/"$AGENT"/fd | wc -l; }

no_descriptor_is_left_open() {
    sleep 1
    local now
    now=$(descriptors)
    [ "$now" -le "$DESCRIPTORS" ] || { echo "$DESCRIPTORS before, $now after"; return 1; }
}

write_config "$WORK/agent.log"
check "too few file descriptors are refused with the number that is needed" too_few_descriptors
check "a SIGHUP in the first moments ends no agent" hangup_at_once
check "the agent starts" start_agent
DESCRIPTORS=$(descriptors)
check "500 SIGHUPs in a row are survived and the last is obeyed" hangup_storm
check "SIGHUPs over half-written files are survived" storm_of_broken_files
check "clients that leave in the middle are survived" leavers
check "of a hundred clients at once, each is answered" hundred
check "of a hundred tools at once, each is answered" hundred_tools
check "no descriptor is left open by all this" no_descriptor_is_left_open
check "the agent ends politely" stop_agent
write_config /dev/full
check "the agent starts with a log that takes nothing" start_agent
check "and reads its configuration anew" hangup_storm
check "and ends politely" stop_agent
[ $FAILURES -eq 0 ] || { echo "$FAILURES failed"; exit 1; }
