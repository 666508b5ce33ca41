#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Pods with annotations become a job that all agents know; its traffic takes the planned paths and no other; what is wrong with a
# pod is said and costs no other one anything; the API server may be away; pods end, and the job with them.
. "$(dirname "$0")/agent_common.sh"
command -v openssl >/dev/null || skip "openssl is not installed"
API=$WORK/api
mkdir -p "$API/pods"
printf 'secret-of-the-account\n' >"$API/token"

# pod NAME HOST RANK [FILTER]: with the rank that an Indexed Job gives; the filter changes what else it says
pod() {
    jq -n --arg name "$1" --arg node "node-$2" --arg rank "$3" '{metadata: {namespace: "ml", name: $name, uid: "uid-\($name)",
            creationTimestamp: (now | floor | todate), annotations: {"srv6-steer/job": "llama", "srv6-steer/ranks": "4",
            "srv6-steer/collective": "alltoall", "srv6-steer/bytes": "4MiB", "batch.kubernetes.io/job-completion-index": $rank},
            ownerReferences: [{kind: "Job", controller: true, uid: "uid-of-run-1"}]},
        spec: {nodeName: $node, hostNetwork: true}, status: {phase: "Running"}} | '"${4:-.}" >"$API/pods/$1.new"
    mv "$API/pods/$1.new" "$API/pods/$1.json"
}

serve_api() {
    rm -f "$API/ready"
    "$ROOT/tests/support/kube_api" "$API" "${HOSTS[@]/#/$SRV6_LAB_PREFIX}" >"$WORK/api.log" 2>&1 &
    api_pid=$!
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        [ -e "$API/ready" ] && return
        sleep 0.05
    done
    cat "$WORK/api.log"
    exit 1
}

end_api() {
    [ -z "${api_pid:-}" ] || kill "$api_pid" 2>/dev/null
    wait "$api_pid" 2>/dev/null
    api_pid=
}

configure() { # HOST
    printf 'kubernetes: {api: "https://127.0.0.1:6443", credentials: "%s"}\njobs:\n  kubernetes: {node: node-%s, namespaces: [ml]}\n' \
        "$API" "$1" >>"$STATE/$1/agent.yaml"
}

has_pods() { # HOST PRESENT PORTS: of the job's four ranks
    ctl "$1" jobs --json | true_of ".jobs | length == 1 and (.[0] | .job == \"ml/llama\" and .owner == null
        and .pods.ranks == $2 and .pods.of == 4 and .ranks == $3 and .pods.run == \"uid-of-run-1\" and .pods.trouble == \"\")" || {
        ctl "$1" jobs
        return 1
    }
}

steers_some() { # HOST FLOWS: and nothing goes plain
    status_is "$1" ".flows.steered == $2 and .flows.plain == 0"
}

no_jobs() { # HOST
    ctl "$1" jobs --json | true_of '.jobs == []'
}

as_planned() { # the flows of all ranks take the paths that the plan of the same job in a file has
    local host
    "$SIM" plan --fabric "$FABRIC" --job "$JOB" --json |
        jq -c '[.flows[] | {flow: (.src + ">" + .dst), paths: [.paths[].nodes] | sort}] | sort_by(.flow)' >"$WORK/planned"
    for host in "${RANKS[@]}"; do
        ctl "$host" flows --json
    done | jq -s -c '[.[].flows[] | {flow, paths: [.parts[].nodes] | sort}] | sort_by(.flow)' >"$WORK/flows"
    true_of -s '.[0] == .[1] and (.[0] | length) == 12' "$WORK/planned" "$WORK/flows" || {
        cat "$WORK/planned" "$WORK/flows"
        return 1
    }
}

says() { # HOST PATTERN: in the table of jobs
    ctl "$1" jobs >"$WORK/jobs"
    grep -e "$2" "$WORK/jobs" || {
        cat "$WORK/jobs"
        return 1
    }
}

event_of() { # HOST KIND PATTERN
    ctl "$1" events --json | jq -r ".events[] | select(.kind == \"$2\").text" | grep -e "$3" || {
        ctl "$1" events | tail -n 5
        return 1
    }
}

ranks_are_remembered() { # HOST COUNT
    true_of ".ranks | length == $2" "$STATE/$1/pods.json"
}

raise_lab "$FABRIC"
trap 'end_api; end_lab' EXIT
serve_api
for host in "${HOSTS[@]}"; do
    configure "$host"
    "$LAB" agent "$host" restart || exit 1
done
check "agents know that their nodes have no pods" eventually on_all status_is @ '.joined and .pods.synced and .pods.ranks == 0'
[ $failures -eq 0 ] || verdict

rank=0
for host in h0 h2 h4; do
    pod "llama-$rank" $host $rank
    rank=$((rank + 1))
done
check "three of four ranks are a job for all hosts" eventually on_all has_pods @ 3 3
check "whose flows are steered" eventually steers_some h0 2
pod llama-3 h6 3 '.status.phase = "Pending"'
check "the fourth counts as soon as its pod is bound" eventually on_all has_pods @ 4 4
check "all of its flows are steered" eventually all_steer
check "on the paths that the plan of such a job has" as_planned
check "an event says that it is complete" event_of h1 job_complete 'all 4 ranks of job ml/llama run, on 4 ports of 4 hosts'
check "the table says whose it is" says h5 'ml/llama .* pods: 4 of 4 '

plain=$(plain_packets)
steered=$(steered_packets)
load
check "there is load" load_runs

pod typo h0 7 '.metadata.annotations["srv6-steer/byts"] = "1GiB" | del(.metadata.annotations["srv6-steer/ranks"])'
pod wide h2 8 '.metadata.annotations["srv6-steer/ports"] = "3" | del(.metadata.annotations["srv6-steer/ranks"])'
pod other h4 9 '.metadata.namespace = "dev"'
check "a misspelt annotation is told, with the pod" eventually event_of h0 pod_refused 'pod ml/typo: srv6-steer/byts: no such annotation'
check "a port that there is not too" eventually event_of h2 pod_refused 'pod ml/wide: srv6-steer/ports: place 3: this host has 1 ports'
check "pods of other namespaces are none of ours" status_is h4 '.pods.refused == 0 and .pods.ranks == 1'
check "the others go on" on_all has_pods @ 4 4
check "status counts what is refused" status_is h0 '.pods.refused == 1 and .pods.ranks == 1'
rm "$API/pods/typo.json" "$API/pods/wide.json" "$API/pods/other.json"

end_api
check "a server that is gone is told" eventually event_of h0 pods_unknown 'jobs stay as they are'
check "agents remember their ranks" ranks_are_remembered h2 1
check "an agent is killed meanwhile and starts" sh -c "'$LAB' agent h2 kill && '$LAB' agent h2 start"
check "and has the job at once" eventually has_pods h2 4 4
check "from what it remembers" event_of h2 pods_recalled '1 ranks of this node'
check "all are steered then" eventually all_steer
check "there was load all the time" load_runs
check "all bytes are delivered" load_ended
check "no packet is lost" nothing_lost
check "no packet went plain" equal "$(plain_packets)" "$plain"
check "the kernel has seen them steered" [ "$(steered_packets)" -gt $((steered + 1000)) ]

rm "$API/pods/llama-3.json"
serve_api
PATIENCE=120 # agents ask a server that is away every half minute or so
check "what ended while the server was away is gone when it is back" eventually on_all has_pods @ 3 3
check "the flows between the others are steered" eventually steers_some h0 2
check "and those of the rank that ended have no rules" eventually status_is h6 '.flows.total == 0 and .nic.ports[0].rules == 0'
pod llama-0 h0 0 '.status.phase = "Succeeded"'
check "a pod that has succeeded is no rank" eventually on_all has_pods @ 2 2
rm "$API"/pods/*.json
check "without pods there is no job" eventually on_all no_jobs @
check "an event says so" event_of h7 job_ended 'job ml/llama has no pods any more'
check "agents ask for pods of their own node only" equal "$(grep -c -v 'fieldSelector=spec.nodeName%3Dnode-h[0-7]&' "$API/log")" 0
verdict
