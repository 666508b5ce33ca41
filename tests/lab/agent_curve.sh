#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Gossip that is encrypted, and those who do not belong: a foreign key, no key, garbage. Counted, and nothing else.
. "$(dirname "$0")/agent_common.sh"

intruder_is_alone() { # its own view has nobody else alive
    equal "$("$CTL" --socket "$WORK/intruder.sock" status --json | jq .members.alive)" 1
}

not_a_member() { # HOST: h7, whose real agent is stopped, is not alive
    equal "$(field "$1" members '.members[] | select(.name == "h7" and .state == "alive").name')" ""
}

on_all_others() { # COMMAND: with every host but h7
    local host
    for host in "${HOSTS[@]:0:7}"; do
        "$1" "$host" || return 1
    done
}

counter_sum() { # FIELD: of the gossip, over the hosts that the intruder has as seeds
    local host
    for host in h0 h1 h2; do
        field "$host" status ".gossip.$1"
    done | jq -s add
}

more() { # FIELD BEFORE
    [ "$(counter_sum "$1")" -gt "$2" ] || {
        echo "$1 stays $2"
        return 1
    }
}

# intrude SED-SCRIPT: an agent in h7's place, with h7's configuration changed
intrude() {
    sed -e "s#^socket: .*#socket: $WORK/intruder.sock#; s#file: .*agent.log#file: $WORK/intruder.log#; s/driver: ebpf/driver: mem/" \
        -e "$1" "$STATE/h7/agent.yaml" >"$WORK/intruder.yaml"
    "$LAB" exec h7 -- "$AGENT" --config "$WORK/intruder.yaml" >"$WORK/intruder" 2>&1 &
    load_pids=($!)
    check "the intruder runs" eventually "$CTL" --socket "$WORK/intruder.sock" status
}

intruder_ends() {
    kill -TERM "${load_pids[@]}"
    wait "${load_pids[@]}"
    check "the intruder ends cleanly" equal $? 0
    load_pids=()
}

command -v tcpdump >/dev/null || skip "tcpdump is not installed"
raise_lab "$FABRIC" --curve
check "keys are for their owner only" equal "$(stat -c %a "$STATE/keys/h0.secret")" 600
check "CURVE is configured" grep -q 'secret_key_file' "$STATE/h0/agent.yaml"
check "all agents are members of each other" eventually on_all status_is @ '.healthy and .members.alive == 8'
submit h0 "$JOB"
check "a job is steered" all_steer
"$LAB" exec h0 -- timeout 20 tcpdump -i mgmt0 -c 40 -w "$WORK/gossip.pcap" tcp 2>"$WORK/tcpdump"
check "names are not readable on the wire" refuses 1 grep -a -q -e spine0 -e 'tcp://' "$WORK/gossip.pcap"

# ---- one host gets new keys, in the three steps of srv6-ctl(1)
reread() { # HOST...: their agents read keys anew, and have done so
    local host before
    for host; do
        before=$(grep -c 'configuration read anew' "$STATE/$host/agent.log")
        kill -HUP "$(cat "$STATE/$host/agent.pid")"
        eventually read_anew "$host" "$before" || return 1
    done
}
read_anew() { # HOST BEFORE
    [ "$(grep -c 'configuration read anew' "$STATE/$1/agent.log")" -gt "$2" ]
}
nobody_died() {
    ! grep -h -e 'member_state.* dead' -e 'the old keys stay' "$STATE"/h?/agent.log
}
old_key=$(awk '$1 == "h3" { print $2 }' "$STATE/keys/fleet.keys")
check "h3 gets a second pair" "$CTL" keys rotate --out "$STATE/keys" --host h3
check "all accept both" reread "${HOSTS[@]}"
cp "$STATE/keys/h3.secret.next" "$STATE/keys/h3.secret"
check "h3 changes to the new one" reread h3
check "all agents are still members of each other" eventually on_all status_is @ '.healthy and .members.alive == 8'
check "the old pair is retired" "$CTL" keys retire --out "$STATE/keys" --host h3
check "its line is gone" refuses 1 grep -q -F -e "$old_key" "$STATE/keys/fleet.keys"
check "all accept the new one only" reread "${HOSTS[@]}"
sleep 1
check "and all agents are still members of each other" eventually on_all status_is @ '.healthy and .members.alive == 8'
check "what h3 says is still believed" eventually on_all status_is @ '.gossip.dropped_forged == 0'
check "no member was ever declared dead" nobody_died
check "and the job is steered" all_steer

"$LAB" agent h7 stop
"$CTL" keys generate --out "$WORK/foreign" --host h7 --address tcp://10.255.0.8:7946 >"$WORK/keys" || exit 1
before=$(counter_sum denied_keys)
intrude_keys() { # SECRET-FILE FLEET-FILE
    intrude "s#secret_key_file: .*#secret_key_file: $1#; s#fleet_keys_file: .*#fleet_keys_file: $2#"
}
# It knows the fleet, but the fleet does not know it.
cat "$STATE/keys/fleet.keys" "$WORK/foreign/fleet.keys" >"$WORK/all.keys"
intrude_keys "$WORK/foreign/h7.secret" "$WORK/all.keys"
check "a key that is not in fleet.keys is counted as denied" eventually more denied_keys "$before"
check "no agent has it as a member" on_all_others not_a_member
check "it is alone" intruder_is_alone
intruder_ends

before=$(counter_sum handshake_failed)
intrude '/curve:/,/fleet_keys_file/d'
check "an agent without CURVE fails the handshake" eventually more handshake_failed "$before"
check "no agent has it as a member" on_all_others not_a_member
check "it is alone" intruder_is_alone
intruder_ends

"$LAB" agent h7 start
check "the real one is taken back" eventually on_all status_is @ '.healthy and .members.alive == 8'

# ---- bytes that are not ZMTP, or only begin like it
before=$(counter_sum handshake_failed)
cat >"$WORK/garbage.py" <<'END'
import socket, sys, os, random
random.seed(int(sys.argv[2]))
greeting = b"\xff" + b"\0" * 8 + b"\x7f" + b"\3\0" + b"CURVE".ljust(20, b"\0") + b"\0" * 32
null = greeting.replace(b"CURVE", b"NULL\0")
huge = b"\x06" + (1 << 62).to_bytes(8, "big")  # a command of 4 EiB
cases = [random.randbytes(300), b"GET / HTTP/1.1\r\n\r\n", b"", greeting, greeting + huge, null + huge,
         greeting + b"\x04\xff" + random.randbytes(255), b"\xff" * 64, greeting + b"\x06" + b"\xff" * 8]
for case in cases * 3:
    s = socket.create_connection((sys.argv[1], 7946), timeout=5)
    s.settimeout(0.1)
    try:
        s.sendall(case)
        while s.recv(4096):
            pass
    except OSError:
        pass
    s.close()
END
for address in 10.255.0.1 10.255.0.2 10.255.0.3; do
    check "garbage is thrown at $address" "$LAB" exec h7 -- python3 "$WORK/garbage.py" $address 1
done
check "what failed is counted" eventually more handshake_failed "$before"
check "the agents stay healthy" on_all status_is @ '.healthy and .members.alive == 8'
check "none was started anew" equal "$(for host in "${HOSTS[@]}"; do grep -c ' started ' "$STATE/$host/agent.log"; done | sort | uniq -c | tr -s ' ' | paste -sd,)" " 7 1, 1 2"
check "and the job is steered" all_steer
verdict
