# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: nodes. Each is containerd and kubelet in the network namespace of a host of the lab, with a process
# namespace and /var, /run and /sys/fs/bpf of its own (cluster/node): what a pod writes to the host's paths is seen from here in
# $CLUSTER/node/NAME, and a node is switched off, with all of its containers, by killing one process.

address_of() { port_of_lab "$1" '.mgmt'; } # HOST

port_of_lab() { # HOST FILTER
    jq -r ".nodes[] | select(.node == \"$1\") | $2" "/run/srv6/lab-${SRV6_LAB_PREFIX%-}/lab.json"
}

write_containerd_config() { # NODE
    cat >"$CLUSTER/node/$1/containerd.toml" <<END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:test"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$BINARIES/cni"
    conf_dir = "$CLUSTER/node/$1/cni"
END
    cat >"$CLUSTER/node/$1/cni/10-lab.conflist" <<END
{"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "ptp", "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.${1#h}.0/24"}]],
 "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
}

write_kubelet_config() { # NODE
    cat >"$CLUSTER/node/$1/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $(address_of "$1")
port: 10250
readOnlyPort: 0
healthzPort: 0
staticPodPath: ""
resolvConf: $CLUSTER/resolv.conf
clusterDNS: [$DNS_SERVICE]
clusterDomain: cluster.local
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP/$1
enforceNodeAllocatable: []
failSwapOn: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
nodeStatusUpdateFrequency: 4s
nodeLeaseDurationSeconds: 12
kubeAPIQPS: 50
kubeAPIBurst: 100
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
evictionHard: {memory.available: 100Mi}
maxPods: 32
END
}

make_cgroups() { # NODE: in each hierarchy that this machine has
    local type hierarchy rest
    while read -r rest hierarchy type rest; do
        case $type in
        cgroup) mkdir -p "$hierarchy/$CGROUP/$1" ;;
        cgroup2) mkdir -p "$hierarchy/$CGROUP/$1" && enable_controllers "$hierarchy" "$hierarchy/$CGROUP" ;;
        esac
    done </proc/mounts
}

enable_controllers() { # CGROUP2...
    local folder controller
    for folder; do
        for controller in $(cat "$folder/cgroup.controllers"); do
            echo "+$controller" >"$folder/cgroup.subtree_control" 2>/dev/null # some cannot be had, others are
        done
    done
    return 0
}

make_node() { # NODE
    local folder=$CLUSTER/node/$1
    make_cgroups "$1"
    mkdir -p "$folder"/{var,run,bpf,cni,sysctl}
    mkdir -p "$folder"/var/{lib/kubelet,lib/containerd,lib/cni,log/pods,log/containers,tmp}
    ln -s ../run "$folder/var/run"
    mount -t bpf bpf "$folder/bpf"
    write_containerd_config "$1"
    write_kubelet_config "$1"
    "$LAB" exec "$1" -- ip route replace $SERVICE_RANGE via $API_ADDRESS
}

switch_on() { # NODE
    launch "$1" nsenter --net="/run/netns/$SRV6_LAB_PREFIX$1" unshare --mount --pid --fork --kill-child --mount-proc --propagation private \
        "$here/cluster/node" "$CLUSTER" "$1" "$(address_of "$1")"
}

on_node() { # NODE COMMAND...: as a process of the node
    local pid
    pid=$(pgrep -P "$(running "$1")") || return
    shift
    nsenter --target "$pid" --net --mount --pid "$@"
}

import_image() { # NODE ARCHIVE
    on_node "$1" "$CLUSTER/bin/ctr" -a /run/containerd/containerd.sock -n k8s.io images import "$2" >"$CLUSTER/log/import-$1" 2>&1 || {
        cat "$CLUSTER/log/import-$1"
        return 1
    }
}

has_containerd() { on_node "$1" "$CLUSTER/bin/ctr" -a /run/containerd/containerd.sock version; } # NODE

start_nodes() {
    local node
    echo 'search .' >"$CLUSTER/resolv.conf"
    for node in "${NODES[@]}"; do
        make_node "$node" && switch_on "$node" || return
    done
    for node in "${NODES[@]}"; do
        within 30 has_containerd "$node" && import_image "$node" "$CLUSTER/pause.tar" || return
    done
    within 60 nodes_ready "${NODES[@]}"
}

node_is() { # NODE CONDITION-STATUS: of Ready
    equal "$(kube get node "$1" -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}')" "$2"
}

nodes_ready() { # NODE...
    local node
    for node; do
        node_is "$node" True || return
    done
}
