#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One host's port gets another MTU than the others': every agent names it, with the others' value, and says so when it is
# put right. Then a file among a port's counters that does not answer (a FIFO without a writer): neither the agent nor
# its end waits for it.
. "$(dirname "$0")/agent_common.sh"

PATIENCE=40 # settings are read every 10 seconds, and told when no more changes come

fabric_device() { # HOST: the device of its port
    field "$1" rules '.ports[0].device'
}

in_host() { # HOST COMMAND...
    local host=$1
    shift
    "$LAB" exec "$host" -- "$@"
}

audit_is() { # HOST FILTER
    ctl "$1" audit --json | true_of "$2"
}

exits() { # CODE COMMAND...
    local code=$1
    shift
    "$@" >"$WORK/said" 2>&1
    equal $? "$code"
}

# shellcheck disable=SC2016
names() { # HOST ODD VALUE: that host's agent names the odd one and nobody else
    audit_is "$1" '.settings[] | select(.setting == "mtu_bytes") | .verdict == "odd" and .common_count == 7
        and (.odd | length) == 1 and .odd[0].host == "'"$2"'" and .odd[0].value == "'"$3"'"'
}

agrees() { # HOST
    audit_is "$1" '(.settings[] | select(.setting == "mtu_bytes") | .verdict == "agreed" and .known == 8)
        and (.settings[] | select(.setting == "kernel").verdict == "agreed") and .silent == []'
}

told() { # HOST KIND SUBJECT
    ctl "$1" events --json | jq -s '.[] | (.events? // [.])[]' | jq -s 'any(.[]; .kind == "'"$2"'" and .subject == "'"$3"'")' |
        true_of .
}

raise_lab "$FABRIC"
submit h0 "$JOB"
check "all agents know how all hosts are set up, and they agree" eventually on_all agrees @
check "then audit exits with 0" exits 0 ctl h0 audit
check "what cannot be read is unknown" audit_is h0 \
    '.settings[] | select(.setting == "pfc") | .verdict == "unknown" and .unknown == 8'
mtu=$(in_host h3 ip -j link show "$(fabric_device h3)" | jq '.[0].mtu')
check "h3 gets another MTU" in_host h3 ip link set "$(fabric_device h3)" mtu $((mtu - 100))
check "every agent names it" eventually on_all names @ h3 $((mtu - 100))
check "audit exits with 4" exits 4 ctl h5 audit
check "and says who differs, and from what" grep "ODD   h3: mtu_bytes is $((mtu - 100)); 7 of 8 have $mtu" "$WORK/said"
check "there is an event on each host" eventually on_all told @ qos_odd h3
check "it is put right" in_host h3 ip link set "$(fabric_device h3)" mtu "$mtu"
check "all agree again" eventually on_all agrees @
check "and that is an event too" eventually told h0 qos_agreed h3
check "the flows were steered all the time" all_steer
device=$(fabric_device h0)
"$LAB" down >"$WORK/down" 2>&1

# ---- a driver that does not answer
counters=$WORK/sys/class/net/$device/device/infiniband/mlx5_0/ports/1/hw_counters
mkdir -p "$counters"
mkfifo "$counters/np_cnp_sent"
export SYSFS_PATH=$WORK/sys
raise_lab "$FABRIC"
submit h0 "$JOB"
PATIENCE=25
check "an agent whose counter does not answer says so" eventually told h0 counters_slow h0
check "its NIC steers" all_steer
before=$(field h0 status .probe.sent)
sleep 2
check "it goes on probing" between $(($(field h0 status .probe.sent) - before)) 20 1000000
pid=$(agent_pid h0)
kill -TERM "$pid"
ended() { ! kill -0 "$pid" 2>/dev/null; }
PATIENCE=5
check "and it ends when it is asked to" eventually ended
verdict
