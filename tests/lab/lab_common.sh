# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by the lab tests, which get the folder of the programs and that of the repository. Each test
# raises a lab of its own prefix, unless it has set LAB_TEST_PREFIX, so that tests and a user's lab do not meet.
set -u
BIN=$1 ROOT=$2
export SRV6_LAB_PREFIX=${LAB_TEST_PREFIX:-t$$-}
STATE=/run/srv6/lab-${SRV6_LAB_PREFIX%-}
LAB=$BIN/srv6-lab
TRAFFIC=$BIN/srv6-traffic
PLAN=$BIN/srv6-lab-plan
FABRIC=$ROOT/tests/fabrics/lab-8.yaml
WORK=$(mktemp -d)
failures=0

skip() {
    echo "skipped: $1"
    exit 77
}

check() { # check SENTENCE CONDITION...: runs the condition
    local sentence=$1
    shift
    if "$@" >"$WORK/output" 2>&1; then
        echo "ok      $sentence"
    else
        echo "FAILED  $sentence: $*"
        head -n 5 "$WORK/output"
        failures=$((failures + 1))
    fi
}

equal() {
    [ "$1" = "$2" ] || {
        echo "wanted $2, got $1"
        return 1
    }
}

between() { # VALUE LOW HIGH
    jq -n -e "$1 >= $2 and $1 <= $3" >/dev/null || {
        echo "wanted $2..$3, got $1"
        return 1
    }
}

refuses() { # CODE CMD...
    local wanted=$1
    shift
    "$@"
    equal $? "$wanted"
}

raise() { # FABRIC
    trap finish EXIT
    "$LAB" up "$1" --no-agents >"$WORK/up" 2>&1 && return
    cat "$WORK/up"
    grep -q -e 'this kernel' -e 'cannot make a network namespace' "$WORK/up" && skip "$(cat "$WORK/up")"
    exit 1
}

finish() {
    "$LAB" down
    rm -rf "$WORK"
}

verdict() {
    [ $failures -eq 0 ] || {
        echo "$failures checks failed"
        exit 1
    }
    exit 0
}

counter() { # LINK FIELD
    "$LAB" counters --json | jq ".links[] | select(.link == \"$1\").$2"
}

port_field() { # HOST FIELD
    jq -r ".nodes[] | select(.node == \"$1\").ports[0].$2" "$STATE/lab.json"
}

# steer FROM TO SIDS: the kernel encapsulates what FROM sends to TO; TO decapsulates its own uSID.
steer() {
    local address sid gateway
    address=$(port_field "$2" ipv6)
    sid=$(port_field "$2" sid)
    gateway=$("$LAB" exec "$1" -- ip -j -6 route show default | jq -r '.[0].gateway')
    "$LAB" exec "$1" -- ip -6 route replace "$address" encap seg6 mode encap.red segs "$3" \
        via "$gateway" dev eth0
    "$LAB" exec "$2" -- ip -6 addr del "$sid/128" dev lo 2>/dev/null
    "$LAB" exec "$2" -- ip -6 route replace "$sid/128" encap seg6local action End.DT6 table 255 \
        dev eth0
}

walk() { # FABRIC LINKS: the SIDs, with commas
    "$PLAN" "$1" --walk "$2" | paste -sd,
}

receive() { # HOST OPTIONS...: starts a receiver and waits until it receives
    local host=$1
    shift
    "$LAB" exec "$host" -- "$TRAFFIC" recv --fabric "$FABRIC" --host "$host" --json \
        --ready "$WORK/ready-$host" "$@" >"$WORK/recv-$host" &
    echo $! >"$WORK/pid-$host"
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [ -e "$WORK/ready-$host" ] && return
        sleep 0.01
    done
    echo "the receiver of $host does not start"
    exit 1
}

received() { # HOST: ends the receiver; the report is in $WORK/recv-HOST
    kill -TERM "$(cat "$WORK/pid-$1")"
    wait "$(cat "$WORK/pid-$1")"
    rm -f "$WORK/ready-$1"
}

send() { # HOST OPTIONS...
    local host=$1
    shift
    "$LAB" exec "$host" -- timeout 50 "$TRAFFIC" send --fabric "$FABRIC" --host "$host" \
        --timeout 20s --json "$@" >"$WORK/send-$host"
}

flow_field() { # FILE FIELD
    jq ".flows[0].$2" "$WORK/$1"
}

[ "$(id -u)" = 0 ] || skip "network namespaces need root"
for program in ip tc nft jq ethtool; do
    command -v $program >/dev/null || skip "$program is not installed"
done
