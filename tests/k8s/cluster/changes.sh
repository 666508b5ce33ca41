# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: changes that take several rollouts each, under load.

change_checks() {
    local node next=localhost/srv6-steer:next
    for node in "${NODES[@]}"; do
        on_node "$node" "$CLUSTER/bin/ctr" -a /run/containerd/containerd.sock -n k8s.io images tag $IMAGE $next >/dev/null
    done
    under_load "upgrade to another tag" upgrade $next
    check "all pods have it" pods_have $next
    under_load "kubectl rollout undo" undo
    check "all pods have the old one" pods_have $IMAGE
    fetch_secret "$WORK/before"
    under_load "fleet-keys rotate: three rollouts" rotate
    fetch_secret "$WORK/after-rotation"
    check "each key is another" each another_key @
}

upgrade() { # IMAGE
    system set image ds/srv6-agent "prepare=$1" "agent=$1" && rolled_out && each is_steady @
}

undo() {
    system rollout undo ds/srv6-agent && rolled_out && each is_steady @
}

rotate() {
    fleet_keys rotate && each is_steady @
}

pods_have() { # IMAGE
    equal "$(system get pods -l app.kubernetes.io/name=srv6-agent -o json | jq -r '.items[].spec.containers[].image' | sort -u)" "$1"
}

another_key() { # NODE
    ! cmp -s "$WORK/before/$1.secret" "$WORK/after-rotation/$1.secret"
}
