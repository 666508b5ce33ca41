# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: the control plane, in the namespace of the lab's management network. There is no kube-proxy: the
# addresses of the two Services that matter, the API and DNS, are addresses of the control plane, and nodes have a route to them.

make_state() {
    (umask 077 && mkdir -p "$CLUSTER") && [ "$(stat -c %u "$CLUSTER")" = 0 ] || return
    mount -t tmpfs -o mode=0700,size=8g srv6-k8s "$CLUSTER"
    mkdir -p "$CLUSTER"/{pid,log,node,pki,etcd}
    ln -s "$BINARIES/bin" "$CLUSTER/bin"
}

make_network() {
    in_mgmt ip link set lo up
    in_mgmt ip addr add $API_ADDRESS/16 dev bridge
    in_mgmt ip addr add $API_SERVICE/32 dev lo
    in_mgmt ip addr add $DNS_SERVICE/32 dev lo
}

# A user is a token; who may do what is the API server's own to decide.
make_users() {
    local node
    {
        echo "$(make_token admin),admin,0,system:masters"
        echo "$(make_token resolver),resolver,1,system:masters"
        for node in "${NODES[@]}"; do
            echo "$(make_token "$node"),system:node:$node,$node,system:nodes"
        done
    } >"$CLUSTER/pki/tokens.csv"
    openssl genrsa -out "$CLUSTER/pki/sa.key" 2048 2>/dev/null
    for node in admin "${NODES[@]}"; do
        write_kubeconfig "$node"
    done
    # The nodes' network is not the machine's: kubectl goes there to call.
    cat >"$CLUSTER/kubectl" <<END
#!/bin/sh
exec nsenter --net=/run/netns/${SRV6_LAB_PREFIX}mgmt "$KUBECTL_PROGRAM" --kubeconfig "$CLUSTER/pki/admin.kubeconfig" "\$@"
END
    chmod 755 "$CLUSTER/kubectl"
}

make_token() { # NAME
    openssl rand -hex 16 | tee "$CLUSTER/pki/$1.token"
}

write_kubeconfig() { # NAME
    cat >"$CLUSTER/pki/$1.kubeconfig" <<END
apiVersion: v1
kind: Config
current-context: lab
clusters: [{name: lab, cluster: {server: "https://$API_SERVICE", certificate-authority: "$CLUSTER/pki/apiserver.crt"}}]
users: [{name: lab, user: {token: "$(cat "$CLUSTER/pki/$1.token")"}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
END
}

start_control_plane() {
    local pki=$CLUSTER/pki etcd=http://127.0.0.1:2379
    make_network && make_users || return
    launch etcd nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$CLUSTER/bin/etcd" --name lab --data-dir "$CLUSTER/etcd" --listen-client-urls $etcd --advertise-client-urls $etcd \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster lab=http://127.0.0.1:2380
    launch apiserver nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$CLUSTER/bin/kube-apiserver" --etcd-servers=$etcd --bind-address=0.0.0.0 --advertise-address=$API_ADDRESS \
        --secure-port=443 --cert-dir="$pki" --service-cluster-ip-range=$SERVICE_RANGE --service-account-key-file="$pki/sa.key" \
        --service-account-signing-key-file="$pki/sa.key" --service-account-issuer=https://kubernetes.default.svc \
        --authorization-mode=Node,RBAC --token-auth-file="$pki/tokens.csv" --allow-privileged=true \
        --enable-admission-plugins=NodeRestriction,Priority,ResourceQuota --kubelet-preferred-address-types=InternalIP
    within 60 kube get --raw /readyz || return
    launch controller-manager nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$CLUSTER/bin/kube-controller-manager" --kubeconfig="$pki/admin.kubeconfig" \
        --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/apiserver.crt" --leader-elect=false --port=0 \
        --node-monitor-period=2s --node-monitor-grace-period=12s --bind-address=127.0.0.1 --cert-dir="$pki"
    launch scheduler nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$CLUSTER/bin/kube-scheduler" --kubeconfig="$pki/admin.kubeconfig" --leader-elect=false --port=0 \
        --bind-address=127.0.0.1 --cert-dir="$pki"
    launch resolver nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$here/cluster/resolver" $DNS_SERVICE https://$API_SERVICE "$pki/apiserver.crt" "$pki/resolver.token"
    within 30 kube -n default get serviceaccount default -o name
}
