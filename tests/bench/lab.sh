# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the benches on the lab share. They raise a lab of their own (prefix bench-) and always take it down.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${SRV6_BIN:-$root/build/bin}
export SRV6_LAB_PREFIX=bench-
fabric=$root/tests/fabrics/lab-8.yaml
job=$root/tests/jobs/lab-alltoall.yaml
work=''

say() { [ -n "${json:-}" ] || echo "$@" >&2; }
die() {
    echo "$(basename "$0"): $1" >&2
    exit 1
}

clean_up() {
    "$bin/srv6-lab" down >/dev/null 2>&1
    rm -rf "$work"
}

lab_up() { # SRV6-LAB-UP-OPTION...
    [ "$(id -u)" -eq 0 ] || { echo "$(basename "$0"): the lab needs root" >&2 && exit 77; }
    [ -x "$bin/srv6-lab" ] || die "no programs in $bin; build first, or set SRV6_BIN"
    work=$(mktemp -d)
    trap clean_up EXIT
    trap 'exit 130' INT TERM
    "$bin/srv6-lab" down >/dev/null 2>&1
    "$bin/srv6-lab" up "$fabric" "$@" >/dev/null || die "the lab did not come up"
}

ctl() { # HOST ARGUMENT...
    local host=$1
    shift
    "$bin/srv6-ctl" --socket "/run/srv6/lab-bench/$host/agent.sock" "$@"
}

# Waits up to SECONDS until every agent is healthy and knows ALGORITHM's job.
await_steered() { # SECONDS ALGORITHM
    local host deadline=$((SECONDS + $1))
    for host in h{0..7}; do
        until ctl "$host" --json jobs 2>/dev/null | jq -e --arg a "$2" '.jobs | any(.algorithm == $a)' >/dev/null &&
            ctl "$host" status --check >/dev/null 2>&1; do
            [ $SECONDS -lt $deadline ] || die "$host is not healthy: $(ctl "$host" status --check 2>&1 | tail -n 1)"
            sleep 0.05
        done
    done
}

submit() { # ALGORITHM
    sed "s/^job: .*/&\nalgorithm: $1/" "$job" >"$work/$1.yaml"
    ctl h0 job submit "$work/$1.yaml" >/dev/null || die "the job was refused"
    await_steered 10 "$1"
}

environment() {
    jq -n -c --arg kernel "$(uname -r)" --arg cpus "$(nproc)" --arg load "$(cut -d' ' -f1 /proc/loadavg)" \
        --arg version "$("$bin/srv6-agent" --version)" \
        '{kernel: $kernel, cpus: ($cpus | tonumber), load_before: ($load | tonumber), version: $version}'
}
