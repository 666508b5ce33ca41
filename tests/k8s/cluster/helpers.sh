# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: the cluster as a whole, and what all checks ask of it.
NAMESPACE=srv6-system
IMAGE=localhost/srv6-steer:0.1.0 # as in the manifests
LAB_STATE=/run/srv6/lab-${SRV6_LAB_PREFIX%-}
FABRIC=$ROOT/k8s/overlays/lab/fabric.yaml
PATIENCE=30
LOAD_SECONDS=900 # three rollouts took 315 s on a busy machine; half as long again stays

raise_cluster() {
    "$LAB" up "$FABRIC" --no-agents >"$WORK/up" 2>&1 || {
        cat "$WORK/up"
        ! grep -q -e 'this kernel' -e 'cannot make a network namespace' "$WORK/up" || skip "$(tail -n 1 "$WORK/up")"
        return 1
    }
    make_state || return
    cp "$BINARIES/pause.tar" "$CLUSTER/pause.tar"
    "$ROOT/k8s/build-image" --programs "$(dirname "$BIN")" --storage "$CLUSTER/store" --tag $IMAGE --archive "$CLUSTER/image.tar" \
        >"$CLUSTER/log/build-image" 2>&1 &
    local builder=$!
    start_control_plane && start_nodes || { wait $builder; return 1; }
    wait $builder || { tail -n 5 "$CLUSTER/log/build-image"; return 1; }
    umount "$CLUSTER"/store/*/* 2>/dev/null
    rm -rf "$CLUSTER/store"
    local node
    for node in "${NODES[@]}"; do
        import_image "$node" "$CLUSTER/image.tar" || return
    done
}

system() { kube --namespace $NAMESPACE "$@"; } # KUBECTL-ARGUMENT...

fleet_keys() { KUBECTL=$CLUSTER/kubectl SRV6_CTL=$CTL "$ROOT/k8s/fleet-keys" --timeout 120s "$@"; }

# ctl NODE ARGUMENT...: as root of the node would; what pods are asked by kubectl exec is in the checks that say so.
ctl() {
    local node=$1
    shift
    "$CTL" --socket "$CLUSTER/node/$node/run/srv6/agent.sock" "$@"
}

pod_of() { # NODE: of the agent, not one that ends
    system get pods -l app.kubernetes.io/name=srv6-agent --field-selector "spec.nodeName=$1" -o json |
        jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].metadata.name // empty'
}

in_pod() { # NODE COMMAND...: in the agent's container
    local pod
    pod=$(pod_of "$1") && [ -n "$pod" ] || return
    shift
    system exec "$pod" -c agent -- "$@"
}

ready_pods() {
    system get pods -l app.kubernetes.io/name=srv6-agent -o json | jq '[.items[] | select(.metadata.deletionTimestamp == null)
        | select(any(.status.conditions[]?; .type == "Ready" and .status == "True"))] | length'
}

ready_is() { equal "$(ready_pods)" "$1"; } # COUNT

# Kubelets of 1.20 at times take most of a minute for the volumes of a pod whose containers have ended.
rolled_out() { system rollout status ds/srv6-agent --timeout 300s; }

# each COMMAND...: with every node in place of @
each() {
    local node
    for node in "${NODES[@]}"; do
        "${@/#@/$node}" || {
            echo "not so on $node"
            return 1
        }
    done
}

members_alive() { # NODE COUNT
    equal "$(field "$1" members '[.members[] | select(.state == "alive")] | length')" "$2"
}

at_most() { # VALUE LIMIT: numbers with decimals
    awk "BEGIN { exit !($1 <= $2) }" || {
        echo "$1, more than $2"
        return 1
    }
}

figure() { # TEXT: beside the check before it
    echo "        $*"
}
