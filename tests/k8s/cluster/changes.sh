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
    fetch_secret "$WORK/keys-before"
    under_load "fleet-keys rotate: three rollouts" rotate
    fetch_secret "$WORK/rotated"
    check "each key is another" each another_key @
    wrong_key_checks
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
    ! cmp -s "$WORK/keys-before/$1.secret" "$WORK/rotated/$1.secret"
}

# Its own list of keys tells a host that its key is none of the fleet's.
wrong_key_checks() {
    local node=h4
    mkdir "$WORK/wrong"
    "$CTL" keys generate --out "$WORK/wrong" --host $node >/dev/null
    cp -r "$WORK/rotated" "$WORK/with-wrong" && cp "$WORK/wrong/$node.secret" "$WORK/with-wrong/"
    check "the Secret gets another key for $node" put_secret "$WORK/with-wrong"
    system delete pod "$(pod_of $node)" --wait >/dev/null
    check "its pod says that the key is not in the fleet's list" within 30 pod_logs $node "is not in the fleet's list"
    check "the others are as they were" others_without $node
    put_secret "$WORK/rotated" >/dev/null
    system delete pod "$(pod_of $node)" --wait >/dev/null
    check "with its own key back $node joins" within 30 ready_is ${#NODES[@]}
    check "all know and steer all again" each is_steady @
}
