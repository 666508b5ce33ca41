# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: a training job, and whether what its hosts send goes as planned.
PAIR_BYTES=1048576 # what the job says of each pair

job_checks() {
    if reads_pods; then
        write_job "$JOB" default/train -
        kube apply -f "$here/cluster/train.yaml" >/dev/null
        check "agents recognise a job by its pods' annotations" within 30 each knows_ranks @ 4
        check "srv6-ctl jobs in a pod shows it" pod_says_job h6 default/train
        figure "$(in_pod h6 srv6-ctl jobs | tail -n 1)"
    else
        write_job "$JOB" train -
        figure "the overlay's agents do not read pods (jobs.kubernetes): the job is submitted instead"
        check "a job is submitted through a pod" submit_in_pod h2
        check "srv6-ctl jobs in another pod shows it" within 10 pod_says_job h6 train
    fi
    check "every node steers it" eventually all_steer
    "$SIM" plan --fabric "$FABRIC" --job "$JOB" --json >"$WORK/plan"
    placement_checks
}

reads_pods() { grep -q '^jobs:' "$ROOT/k8s/overlays/lab/agent.yaml"; }

knows_ranks() { # NODE COUNT: of the job's ranks
    ctl "$1" jobs --json | true_of ".jobs | length == 1 and .[0].job == \"default/train\" and .[0].ranks == $2"
}

submit_in_pod() { # NODE
    system exec -i "$(pod_of "$1")" -c agent -- srv6-ctl job submit /dev/stdin <"$JOB"
}

pod_says_job() { # NODE JOB
    in_pod "$1" srv6-ctl jobs --json | true_of ".jobs | length == 1 and .[0].job == \"$2\""
}

placement_checks() {
    HOSTS=("${NODES[@]}")
    run_all --scale "$(jq -n "$QPS * $MTU / $PAIR_BYTES")" # agents even their paths out as they see queue pairs for the first time
    check "every agent has seen its queue pairs" eventually on_all has_seen @ $QPS
    run_all --scale "$(jq -n "$QPS * $MTU * $PACKETS / $PAIR_BYTES")"
    compare 20
    check "flows between all nodes arrive whole" equal "$(jq '[length, (map(.lost) | add)] | join(" ")' -r "$WORK/flows")" "12 0"
    check "the kernel counts on each link what the plan says, within 1 %: at most $(deviation) off" as_planned
}

has_seen() { # NODE PACKETS
    ctl "$1" flows --json | true_of "[.flows[] | select(.steered) | .parts | map(.packets) | add >= $2] | length == 3 and all"
}

deviation() {
    jq -r '[.[] | select(.planned > 0) | (.counted / .planned - 1 | fabs)] | max * 1000 | round / 10 | "\(.) %"' "$WORK/links"
}
