# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: a rollout under load, and a node that is drained, lost and returns, with a wrong key first.

# under_load TEXT COMMAND...: the job's flows run all the while, and nothing of them is lost.
under_load() {
    local text=$1 since
    shift
    load
    since=$(date +%s%N)
    check "$text" "$@"
    figure "took $(seconds_since "$since") s"
    check "there was load all the time" load_runs
    check "all of it is delivered" load_ended
    check "and no packet lost: $(loss '"\([.flows[].received_packets] | add) packets, \(.lost) lost, longest silence \([.flows[].qps[].longest_silence_ns] | max / 1e6 | round) ms"' -r)" nothing_lost
}

loss() { jq "${@:2}" "$1" "$WORK/load"; }

restart_agents() {
    local before
    before=$(pods_now)
    system rollout restart ds/srv6-agent && rolled_out || return
    each is_steady @ || return
    [ -z "$(comm -12 <(echo "$before") <(pods_now))" ] || {
        echo "a pod was not replaced"
        return 1
    }
}

pods_now() { system get pods -l app.kubernetes.io/name=srv6-agent -o name | sort; }

is_steady() { within 20 steady "$1"; } # NODE

steady() { # NODE: knows all, steers all, as before
    status_is "$1" ".healthy and .joined and .members.alive == ${#NODES[@]} and .jobs == 1 and .flows.steered == 3 and .flows.plain == 0"
}

rollout_checks() {
    local plain
    plain=$(plain_packets)
    under_load "kubectl rollout restart replaces all agents, which know and steer all again" restart_agents
    # A host whose agent is away asks for nothing, since nobody can know whether it returns: others send to it as without SRv6.
    figure "without a path, to hosts whose agent was away: $(jq -n "($(plain_packets) - $plain) / $(loss '[.flows[].received_packets] | add') * 1000 | round / 10") % of the packets"
    check "new agents adopted the rules that they found" each adopted @
}

adopted() { # NODE
    system logs "$(pod_of "$1")" -c agent >"$WORK/log" && grep -q rules_adopted "$WORK/log"
}

# A node is drained, lost, and comes back: at first with a key that the fleet does not know, and with a list of keys to match.
drain_checks() {
    local node=h6 other=h0 denied
    check "$node is drained" kube drain $node --ignore-daemonsets --delete-emptydir-data --force --timeout 60s
    if reads_pods; then
        check "its rank of the job is gone, its agent is not" within 20 each knows_ranks @ 3
    else
        check "its agent stays, and its rules" steady $node
    fi
    switch_off $node
    check "$node is switched off: the others see it dead" within 20 sees_state $other dead $node
    check "and the cluster sees it gone" within 60 node_is $node Unknown
    kube delete node $node >/dev/null
    check "it is deleted: its pod goes" within 60 ready_is $((${#NODES[@]} - 1))
    forget_rules $node
    foreign_keys $node

    denied=$(denied_keys $other)
    switch_on $node
    check "$node is switched on: it comes back" within 60 node_is $node True
    kube label node $node srv6-steer/agent=true >/dev/null
    check "with a foreign key its agent runs, and nobody lets it in" within 30 stranger $node
    check "it says so" readyz_says $node 'no seed has answered'
    figure "$(in_node_curl $node readyz | grep -i gossip)"
    check "an agent that refuses it counts it" within 10 grows_from $other "$denied"
    figure "refused: $denied, then $(denied_keys $other)"
    check "and names it in its log" pod_logs $other "\"stranger_refused\",\"subject\":\"$(address_of $node)\""
    check "the others are as they were" others_without $node

    put_secret "$WORK/keys" >/dev/null
    check "the next pods shall find the others by the Service's Endpoints, not by its name" find_by_endpoints
    system delete pod "$(pod_of $node)" --wait >/dev/null
    check "with its own key back $node joins" within 30 ready_is ${#NODES[@]}
    check "it knows the others from the API server, with the permission of k8s/endpoints-rbac.yaml" within 10 finds_by_endpoints $node
    ! reads_pods || kube apply -f "$here/cluster/train.yaml" >/dev/null # the drain took its pod away
    check "all know and steer all again" each is_steady @
}

# foreign_keys NODE: the Secret has another key for it, and a list that knows that key. As it was it is in $WORK/keys.
foreign_keys() {
    mkdir "$WORK/foreign"
    "$CTL" keys generate --out "$WORK/foreign" --host "$1" --address "tcp://$(address_of "$1"):7946" >/dev/null
    fetch_secret "$WORK/keys"
    cp -r "$WORK/keys" "$WORK/changed" && cp "$WORK/foreign/$1.secret" "$WORK/changed/"
    sed -i "/^$1[[:space:]]/d" "$WORK/changed/fleet.keys" && cat "$WORK/foreign/fleet.keys" >>"$WORK/changed/fleet.keys"
    put_secret "$WORK/changed" >/dev/null
}

# Changed in place, which rolls nothing: a pod reads its ConfigMap when it starts.
find_by_endpoints() {
    local name
    kube apply -f "$ROOT/k8s/endpoints-rbac.yaml" >/dev/null || return
    name=$(system get ds srv6-agent -o json | jq -r '.spec.template.spec.volumes[] | select(.name == "config").configMap.name')
    system get configmap "$name" -o json | jq '.data["agent.yaml"] |= gsub("seeds: .*"; "endpoints: {service: srv6-agent}")' |
        system replace -f - >/dev/null
}

finds_by_endpoints() { # NODE
    ! grep seeds: "$CLUSTER/node/$1/run/srv6/node/agent.yaml" && grep -q 'endpoints: {service' "$CLUSTER/node/$1/run/srv6/node/agent.yaml" &&
        pod_logs "$1" 'endpoints: '"${#NODES[@]}"' addresses'
}

sees_state() { # NODE STATE OTHER
    equal "$(field "$1" members ".members[] | select(.name == \"$3\").state")" "$2"
}

# What a NIC forgets when its host is off.
forget_rules() { # NODE
    find "$CLUSTER/node/$1/bpf/srv6" -delete
    "$LAB" exec "$1" -- tc qdisc del dev eth0 clsact 2>/dev/null
    return 0
}

pod_logs() { # NODE TEXT
    system logs "$(pod_of "$1")" --all-containers --prefix=false >"$WORK/log" 2>&1
    grep -q -F -- "$2" "$WORK/log" || {
        tail -n 3 "$WORK/log"
        return 1
    }
}

denied_keys() { # NODE
    in_node_curl "$1" metrics | awk '/^srv6_.*denied_key/ { print $NF; exit }'
}

grows_from() { # NODE COUNT
    [ "$(denied_keys "$1")" -gt "$2" ]
}

fetch_secret() { # FOLDER
    local name value
    mkdir -p "$1"
    system get secret srv6-keys -o json | jq -r '.data | to_entries[] | "\(.key) \(.value)"' | while read -r name value; do
        base64 -d <<<"$value" >"$1/$name"
    done
}

put_secret() { # FOLDER
    system create secret generic srv6-keys --from-file="$1" --dry-run=client -o yaml | system replace -f -
}

stranger() { # NODE: alone, and not Ready
    status_is "$1" '.joined == false' && ready_is $((${#NODES[@]} - 1))
}

in_node_curl() { # NODE PATH
    "$LAB" exec "$1" -- curl -s "http://$(address_of "$1"):9750/$2"
}

readyz_says() { # NODE TEXT
    in_node_curl "$1" readyz | grep -F -- "$2"
}

others_without() { # NODE
    local node
    for node in "${NODES[@]}"; do
        [ "$node" = "$1" ] || members_alive "$node" $((${#NODES[@]} - 1)) || return
    done
}
