# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# status, counters, exec.

# One JSON document a line and namespace: device statistics and nft counters.
read_namespaces() {
    local namespace
    while read -r namespace; do
        printf '{"namespace":"%s","devices":' "$namespace"
        ip -n "$namespace" -s -j link show
        printf ',"nft":'
        in_namespace "$namespace" nft -j list counters
        echo '}'
    done < <(lab_query '.nodes[].namespace')
}

# bytes, packets: what the sending device put on the wire. steered_*: packets with next header 4, 41
# or 43, seen where lab.json taps the link. At ingress nft counts without the Ethernet header, at
# egress with it; both are reported as frames.
readonly COUNTERS_FILTER='
    ($lab[0].frame_header_bytes) as $header
    | (map({key: .namespace, value: (.devices | INDEX(.ifname))}) | from_entries) as $devices
    | (map({key: .namespace, value: ([.nft.nftables[].counter // empty
        | select(.table == "srv6_lab")] | INDEX(.name))}) | from_entries) as $nft
    | {links: [$lab[0].links[]
        | ($devices[.namespace][.device].stats64.tx) as $tx
        | ($nft[.tap.namespace]["link_\(.id)"]) as $steered
        | {link, bytes: $tx.bytes, packets: $tx.packets,
           steered_bytes: ($steered.bytes
               + (if .tap.hook == "ingress" then $header * $steered.packets else 0 end)),
           steered_packets: $steered.packets,
           dropped_packets: $tx.dropped}]}'

read_counters() {
    read_namespaces | jq -c -s --slurpfile lab "$STATE/lab.json" "$COUNTERS_FILTER"
}

command_counters() {
    take_arguments 0 0
    allow_options --json
    need_root
    need_lab
    local counters
    counters=$(read_counters) ||
        die $FAILED "cannot read the counters of the kernel"
    if [ -n "$JSON" ]; then
        echo "$counters"
        return
    fi
    jq -r '(["LINK", "BYTES", "PACKETS", "STEERED-BYTES", "STEERED-PACKETS", "DROPPED"],
        (.links[] | [.link, .bytes, .packets, .steered_bytes, .steered_packets, .dropped_packets]))
        | @tsv' <<<"$counters" | column -t -s $'\t'
}

command_exec() {
    allow_options
    [ ${#ARGUMENTS[@]} -eq 2 ] && [ ${#COMMAND_LINE[@]} -gt 0 ] ||
        usage_error "exec: wanted: exec NODE -- CMD..."
    need_root
    need_lab
    need_node "${ARGUMENTS[1]}"
    exec nsenter --net="/run/netns/$PREFIX${ARGUMENTS[1]}" "${COMMAND_LINE[@]}"
}

describe_agents() {
    local host pid
    while read -r host; do
        pid=$(agent_pid "$host") && printf '{"host":"%s","pid":%d,"alive":true}\n' "$host" "$pid" &&
            continue
        [ -e "$STATE/$host/agent.pid" ] &&
            printf '{"host":"%s","pid":%d,"alive":false}\n' "$host" "$(cat "$STATE/$host/agent.pid")"
    done < <(lab_query '.nodes[] | select(.kind == "host").node') | jq -c -s .
}

describe_nodes() {
    local node kind namespace
    while read -r node kind namespace; do
        printf '{"node":"%s","kind":"%s","namespace":"%s","present":%s}\n' "$node" "$kind" \
            "$namespace" "$([ -e "/run/netns/$namespace" ] && echo true || echo false)"
    done < <(lab_query '.nodes[] | "\(.node) \(.kind) \(.namespace)"') | jq -c -s .
}

command_status_json() {
    local cuts='[]'
    if compgen -G "$STATE/cuts/*.json" >/dev/null; then
        cuts=$(jq -c -s 'map({link, cable, since, for})' "$STATE"/cuts/*.json)
    fi
    jq -n -c --slurpfile lab "$STATE/lab.json" --slurpfile features "$STATE/features.json" \
        --argjson nodes "$(describe_nodes)" --argjson agents "$(describe_agents)" \
        --argjson cuts "$cuts" --arg state "$STATE" \
        '{fabric: $lab[0].fabric, path: $lab[0].path, state: $state, kernel: $features[0],
          nodes: $nodes, agents: $agents, cuts: $cuts}'
}

command_status() {
    take_arguments 0 0
    allow_options --check --json
    need_lab
    local status
    status=$(command_status_json) || die $FAILED "cannot read the state of the lab" "$STATE"
    if [ -n "$JSON" ]; then
        echo "$status"
    else
        jq -r '"fabric   \(.fabric)  (\(.path))",
            "kernel   \(.kernel.kernel): uN\(if .kernel.uA then ", uA" else
                "; no uA: parallel cables cannot be told apart (Linux 6.6 has it)" end)",
            "nodes    \(.nodes | group_by(.kind) | map("\(length) \(.[0].kind)") | join(", "))",
            (.nodes[] | select(.present | not) | "missing  \(.node): its network namespace is gone"),
            (if .agents == [] then "agents   none" else (.agents[] |
                "agent    \(.host)  \(if .alive then "pid \(.pid)" else "dead" end)") end),
            (if .cuts == [] then "cuts     none" else (.cuts[] |
                "cut      \(.link)  since \(.since)\(if .for != "" then " for \(.for)" else "" end)") end)' \
            <<<"$status"
    fi
    [ -z "$CHECK" ] || jq -e '(.nodes | all(.present)) and (.agents | all(.alive))' <<<"$status" \
        >/dev/null || exit $UNHEALTHY
}
