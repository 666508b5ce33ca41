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
    check "and the Service's Endpoints, as drain_checks has left the ConfigMap" each within 10 finds_by_endpoints @
    under_load "kubectl rollout undo" undo
    check "all pods have the old one" pods_have $IMAGE
    fetch_secret "$WORK/keys-before"
    under_load "fleet-keys rotate: three rollouts" rotate
    fetch_secret "$WORK/rotated"
    check "each key is another" each another_key @
    wrong_key_checks
    connectx_checks
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

# An installation for cards where there is none, in an overlay as k8s/README.md has it: the scheduler has no node for the holders, the
# first agent says what it waits for, and there the rollout stands.
connectx_checks() {
    local node overlay=$WORK/connectx waiting
    mkdir "$overlay"
    cp "$ROOT"/k8s/overlays/lab/{fabric.yaml,nodes} "$overlay/"
    cat >"$overlay/kustomization.yaml" <<END
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: $NAMESPACE
bases: [$(realpath --relative-to="$overlay" "$ROOT/k8s/overlays/connectx")]
configMapGenerator:
- {name: srv6-fabric, behavior: replace, files: [fabric.yaml]}
- {name: srv6-config, behavior: merge, files: [nodes]}
END
    check "kubectl apply -k of an overlay for ConnectX, which no node has" kube apply -k "$overlay"
    check "no node is given a holder: none offers rdma/hca" within 30 holders_wait
    check "one agent is replaced and waits" within 60 ready_is $((${#NODES[@]} - 1))
    : >"$WORK/waiting"
    check "it says for whom" within 20 one_waits_for_holder
    waiting=$(cat "$WORK/waiting")
    check "no other agent is touched" stays_at $((${#NODES[@]} - 1))
    for node in "${NODES[@]}"; do
        [ "$node" = "$waiting" ] ||
            check "$node steers to the two others, and goes plain to $waiting" within 10 status_is "$node" '.joined and .flows.steered == 2 and .flows.plain == 1'
    done
    check "rules stay in the NICs" test "$(packets_steered)" -gt 0
    check "kubectl rollout undo" undo
    system delete ds srv6-holder >/dev/null
}

holders_wait() {
    local pods
    pods=$(system get pods -l app.kubernetes.io/name=srv6-holder -o json)
    true_of --argjson n ${#NODES[@]} '[.items[] | select(.status.phase == "Pending" and (.spec.nodeName == null)
        and any(.status.conditions[]?; .message // "" | test("Insufficient rdma/hca")))] | length == $n' <<<"$pods"
}

one_waits_for_holder() { # its node to $WORK/waiting
    local node
    for node in "${NODES[@]}"; do
        readyz_says "$node" 'no srv6-holder serves /run/srv6/holder.sock' && echo "$node" >"$WORK/waiting" && return
    done
    return 1
}

# For longer than a pod must be Ready before the next is replaced.
stays_at() { # READY
    local deadline=$((SECONDS + 8))
    while [ $SECONDS -lt $deadline ]; do
        ready_is "$1" || return
        sleep 0.25
    done
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
