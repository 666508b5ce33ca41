#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an agent refuses to start with, and what a fleet of them lives with: names and fabrics that do not agree.
. "$(dirname "$0")/agent_common.sh"
chmod 755 "$WORK"
trap finish EXIT

# says CODE PATTERN COMMAND...: exit code and a line of its errors
says() {
    local code=$1 pattern=$2
    shift 2
    timeout 20 "$@" >"$WORK/said" 2>&1
    equal $? "$code" && grep -e "$pattern" "$WORK/said" || {
        cat "$WORK/said"
        return 1
    }
}

errors() { wc -l <"$WORK/said"; }

config() { # HOST FABRIC DEVICE DRIVER: of an agent outside the lab
    printf 'host: %s\nfabric: %s\nsocket: %s\ngossip:\n  listen: "tcp://127.0.0.1:17946"\nnic:\n  driver: %s\n' \
        "$1" "$2" "$WORK/alone.sock" "$4"
    printf '  pin_dir: %s\n  ports:\n    - {port: %s, device: %s}\n' "$PINS/alone" "$1" "$3"
}

# ---- nothing is started

printf 'hos: h0\nfabric: f.yaml\ngossip:\n  listen: "tcp://127.0.0.1:17946"\nnic:\n  driver: magic\n  ports:\n    - port: h0\n' \
    >"$WORK/bad.yaml"
check "a configuration that is malformed" says 1 'bad.yaml:1: .*unknown key hos' "$AGENT" --config "$WORK/bad.yaml"
check "in the same pass a value" grep 'bad.yaml:6: nic.driver: magic' "$WORK/said"
check "and what is missing" grep 'bad.yaml:8: .*device is missing' "$WORK/said"
check "and nothing else" equal "$(errors)" 3
config h0 "$FABRIC" lo mem | sed 's#"tcp:.*"#"nonsense"\n  ping_interval_ms: 0#' >"$WORK/bad.yaml"
check "values without sense" says 1 'bad.yaml:5: gossip.listen' "$AGENT" --config "$WORK/bad.yaml"
check "and all of them" grep 'bad.yaml:6: gossip.ping_interval_ms' "$WORK/said"
{
    cat "$FABRIC"
    printf 'overrides:\n  - {link: leaf0-spine9, capacity: 0.5}\n  - {link: leaf0-spine0, capacity: 1.5}\n'
} >"$WORK/bad-fabric.yaml"
line=$(wc -l <"$WORK/bad-fabric.yaml")
config h0 "$WORK/bad-fabric.yaml" lo mem >"$WORK/alone.yaml"
check "a fabric with errors" says 1 "bad-fabric.yaml:$((line - 1)): .*spine9" "$AGENT" --config "$WORK/alone.yaml"
check "and all of them" grep "bad-fabric.yaml:$line: .*capacity 1.5" "$WORK/said"
config h99 "$FABRIC" lo mem >"$WORK/alone.yaml"
check "a host that is not in the fabric" says 1 'h99' "$AGENT" --config "$WORK/alone.yaml"
config h0 "$FABRIC" nodev0 mem >"$WORK/alone.yaml"
check "a device that is not there" says 1 'nodev0' "$AGENT" --config "$WORK/alone.yaml"
check "a configuration that is not there" says 1 'absent.yaml' "$AGENT" --config "$WORK/absent.yaml"
check "an option that does not exist" says 2 'unknown option --confg' "$AGENT" --confg "$WORK/alone.yaml"
config h0 "$FABRIC" lo ebpf >"$WORK/alone.yaml"
if setpriv --reuid=65534 --clear-groups "$AGENT" --version >"$WORK/output" 2>&1; then
    check "not root" says 5 'root\|CAP_' setpriv --reuid=65534 --clear-groups "$AGENT" --config "$WORK/alone.yaml"
    check "in one sentence" equal "$(errors)" 1
else
    echo "skipped not root: nobody cannot run $AGENT"
fi
check "no process runs" equal "$(pgrep -f -c -- "--config $WORK/")" 0
check "no socket is left" refuses 1 test -e "$WORK/alone.sock"
check "no pin is left" refuses 1 test -e "$PINS"

# ---- a fleet

cp "$FABRIC" "$WORK/fabric.yaml"
FABRIC=$WORK/fabric.yaml
raise_lab "$FABRIC"
submit h0 "$JOB"

alarmed() { # HOST KIND
    ctl "$1" status --json | true_of ".alarms | any(startswith(\"$2 \"))"
}

# second HOST OF SED-SCRIPT: another agent in OF's namespace, with HOST's configuration changed
second() {
    sed -e "s#^socket: .*#socket: $WORK/second.sock#; s#file: .*agent.log#file: $WORK/second.log#; s/driver: ebpf/driver: mem/" \
        -e "$3" "$STATE/$1/agent.yaml" >"$WORK/second.yaml"
    "$LAB" exec "$2" -- "$AGENT" --config "$WORK/second.yaml" >"$WORK/second.err" 2>&1 &
    load_pids=($!)
    eventually "$CTL" --socket "$WORK/second.sock" status
}

second_ends() {
    kill -TERM "${load_pids[@]}"
    wait "${load_pids[@]}"
    equal $? 0
}

# Another program has the port of h7, whose agent does not run.
"$LAB" agent h7 stop
cp "$STATE/h7/agent.yaml" "$WORK/second.yaml"
sed -i "s#^socket: .*#socket: $WORK/second.sock#; /^log:/,/file:/d" "$WORK/second.yaml"
"$LAB" exec h7 -- python3 -c 'import socket, sys, time
s = socket.create_server(("10.255.0.8", 7946)); open(sys.argv[1], "w"); time.sleep(60)' "$WORK/taken" &
load_pids=($!)
eventually test -e "$WORK/taken"
check "the gossip port is in use" says 1 '10.255.0.8:7946.*in use' "$LAB" exec h7 -- "$AGENT" --config "$WORK/second.yaml"
check "no socket is left" refuses 1 test -e "$WORK/second.sock"
kill "${load_pids[@]}"
load_pids=()
"$LAB" agent h7 start
check "who runs already is told to the next" says 1 'another process drives this NIC' "$LAB" exec h7 -- "$AGENT" --config "$WORK/second.yaml"
check "and is not disturbed" eventually healthy h7

check "a second host of a name" second h6 h7 's#listen: .*#listen: "tcp://10.255.0.8:7947"#'
check "all agents raise an alarm" eventually on_all alarmed @ duplicate_host
check "the second one ends" second_ends
load_pids=()
check "all agents live" on_all ctl @ status
# Which of the two fell silent was decided by their nonces: that one needs a restart (gossip/src/own.c).
"$LAB" agent h6 restart
check "and all are members again" eventually on_all status_is @ '.members.alive == 8'

{
    cat "$FABRIC"
    printf 'overrides:\n  - {link: leaf0-spine0, capacity: 0.5}\n'
} >"$WORK/other.yaml"
sed -i "s#^fabric: .*#fabric: $WORK/other.yaml#" "$STATE/h5/agent.yaml"
"$LAB" agent h5 restart
check "a fabric that differs under the same generation: all agents raise an alarm" eventually on_all alarmed @ fabric_mismatch
check "all agents live" on_all ctl @ status
sed -i "s#^fabric: .*#fabric: $FABRIC#" "$STATE/h5/agent.yaml"
"$LAB" agent h5 restart
check "all is well again" eventually on_all status_is @ '.members.alive == 8 and .flows.plain == 0'

generation() { # HOST ACTIVE HELD
    status_is "$1" ".fabric.generation == $2 and .fabric.held_generation == $3"
}

all_but_h7_hold() {
    local host
    for host in "${HOSTS[@]:0:7}"; do
        generation "$host" 1 2 || return 1
    done
    generation h7 1 1
}

check "all flows are steered" eventually all_steer
load
sed -i 's/^generation: 1/generation: 2/' "$FABRIC"
for host in "${HOSTS[@]:0:7}"; do
    kill -HUP "$(agent_pid $host)"
done
check "a new generation is held by all but one" eventually all_but_h7_hold
sleep 0.5
check "and is active nowhere" all_but_h7_hold
kill -HUP "$(agent_pid h7)"
check "with the last one it is active everywhere" eventually on_all generation @ 2 2
check "all flows are steered" eventually all_steer
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "a change of fabric loses nothing" nothing_lost

# At another address than the one where its peers look for it.
"$LAB" agent h7 stop
rm -f "$WORK/second.log"
check "an agent whose seeds do not answer runs" second h7 h7 's#:7946"#:7948"#; /^    - "tcp:/d; s#seeds:#seeds: ["tcp://10.255.0.99:7946", "tcp://10.255.0.98:7946"]#'
check "it warns" eventually grep -q 'seeds_silent' "$WORK/second.log"
sleep 1
check "once" equal "$(grep -c ' warning seeds_silent ' "$WORK/second.log")" 1
check "works alone" "$CTL" --socket "$WORK/second.sock" links
check "and says why it is not well" says 4 'no seed has answered' "$CTL" --socket "$WORK/second.sock" status --check
check "it ends" second_ends
load_pids=()
verdict
