# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: install and uninstall, as k8s/README.md says.
READY_SECONDS=10 # from `kubectl apply` to the last agent that is Ready, images being there

install_checks() {
    local since took node
    kube label node "${NODES[@]}" srv6-steer/agent=true >/dev/null
    kube apply -f "$ROOT/k8s/base/namespace.yaml" >/dev/null
    check "fleet-keys makes a key for each node" fleet_keys create
    since=$(date +%s%N)
    check "kubectl apply -k k8s/overlays/lab" kube apply -k "$ROOT/k8s/overlays/lab"
    check "all agents are Ready" within 60 ready_is ${#NODES[@]}
    took=$(seconds_since "$since")
    if machine_is_busy; then
        figure "$took s after the apply; not judged, other work has the processors (load $(cut -d' ' -f1 /proc/loadavg) on $(nproc))"
    else
        check "they are within $READY_SECONDS s of the apply: $took s" at_most "$took" $READY_SECONDS
    fi
    check "each has all others as members" within 10 each members_alive @ ${#NODES[@]}
    check "kubectl exec ds/srv6-agent -- srv6-ctl members says so" pod_says_members
    for node in "${NODES[@]}"; do
        check "$node: user 0 with four capabilities, no new privileges, seccomp, read-only root" confined "$node"
    done
    check "probes go through io_uring under that profile" each uses_uring @
}

# By others: the cluster itself comes up with about two processes that want to run for each processor.
machine_is_busy() {
    awk -v cores="$(nproc)" '{ exit !($1 > 4 * cores) }' /proc/loadavg
}

pod_says_members() {
    system exec ds/srv6-agent -- srv6-ctl members --json >"$WORK/members" &&
        true_of --argjson n ${#NODES[@]} '[.members[] | select(.state == "alive")] | length == $n' "$WORK/members"
}

# What the kernel says about the agent's process, not what the manifest asked for.
confined() { # NODE
    local pid
    pid=$(agent_process "$1") || { echo "no srv6-agent runs" && return 1; }
    # CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_PERFMON 38, CAP_BPF 39
    awk -v wanted="CapEff:000000c000003000 CapBnd:000000c000003000 NoNewPrivs:1 Seccomp:2" '
        /^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ { got[$1 $2] = 1; said = said " " $1 $2 }
        END { n = split(wanted, want, " "); for (i = 1; i <= n; i++) if (!(want[i] in got)) bad = 1; if (bad) print said; exit bad }
        ' "/proc/$pid/status" || return
    grep -q ' / / ro[ ,]' "/proc/$pid/mountinfo"  || { grep ' / / ' "/proc/$pid/mountinfo"; return 1; }
}

agent_process() { # NODE: seen from here
    local pid
    for pid in $(pgrep -x srv6-agent); do
        [ "/proc/$pid/ns/net" -ef "/run/netns/$SRV6_LAB_PREFIX$1" ] && echo "$pid" && return
    done
    return 1
}

uses_uring() { # NODE
    status_is "$1" '.probe.backend == "io_uring"'
}

# The commands are those of k8s/README.md, "Uninstall".
uninstall_checks() {
    local node
    system delete ds srv6-agent srv6-holder --ignore-not-found --wait >/dev/null
    check "agents end when their DaemonSet is deleted" system wait --for=delete pod -l app.kubernetes.io/name=srv6-agent --timeout=5m
    check "and leave rules in the NICs" test "$(packets_steered)" -gt 0
    kube apply -k "$ROOT/k8s/overlays/clean" >/dev/null
    check "srv6-clean has ended well on all nodes" system rollout status ds/srv6-clean --timeout 60s
    check "what is sent now is not steered" equal "$(packets_steered)" 0
    ! reads_pods || kube delete -f "$here/cluster/train.yaml" >/dev/null
    check "kubectl delete -k" kube delete --ignore-not-found -k "$ROOT/k8s/overlays/lab"
    check "the namespace is gone" within 60 refuses 1 kube get namespace $NAMESPACE
    kube label node --all srv6-steer/agent- >/dev/null
    for node in "${NODES[@]}"; do
        check "$node: neither pins nor files nor addresses nor profiles" clean_node "$node"
    done
    check "the cluster has nothing of ours" equal "$(kube get clusterroles,clusterrolebindings,namespaces,pods -A -o name | grep -i srv6)" ""
}

# Of a packet from each node to each other.
packets_steered() {
    local before
    before=$(steered_packets)
    run_all --scale "$(jq -n "$QPS * $MTU / $PAIR_BYTES")" >&2
    echo $(($(steered_packets) - before))
}

clean_node() { # NODE
    local left folder=$CLUSTER/node/$1
    left=$(find "$folder/bpf" -mindepth 1 ! -name '*.debug' # the kernel's own
        find "$folder/run/srv6" 2>/dev/null
        find "$folder/var/lib/kubelet/seccomp" -mindepth 1 # the folder is the kubelet's
        # The lab itself gave one address.
        "$LAB" exec "$1" -- ip -6 -o addr show dev lo | awk '$4 ~ /^fcbb/' | grep -v " $(port_of_lab "$1" '.sid')/128 ")
    [ -z "$left" ] || {
        echo "$left"
        return 1
    }
}
