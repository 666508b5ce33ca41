# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced after agent_common.sh: what the kernel counts on each link beside what the plan says of it.

# Senders are unreliable and slow: no acknowledgements and no retransmissions, which nobody plans, and no full queue, so that plan and
# count must agree whatever else the machine does.
QPS=4 MTU=4096 PACKETS=8 # of a QP

# run_all OPTION...: $HOSTS send what $JOB says; counts to $WORK/before and after.
run_all() {
    local host pids=()
    for host in "${HOSTS[@]}"; do
        receive "$host" --for 60s
    done
    "$LAB" counters --json >"$WORK/before"
    for host in "${HOSTS[@]}"; do
        "$LAB" exec "$host" -- "$TRAFFIC" send --job "$JOB" --fabric "$FABRIC" --host "$host" --rate-total 12Mbps \
            --mtu $MTU --qps $QPS --unreliable --timeout 40s --json "$@" >"$WORK/send-$host" &
        pids+=($!)
    done
    wait "${pids[@]}"
    sleep 0.3 # what is still on the wire
    "$LAB" counters --json >"$WORK/after"
    for host in "${HOSTS[@]}"; do
        received "$host"
    done
    jq -s '[.[].flows[]]' "$WORK"/recv-h? >"$WORK/flows"
}

# Bytes of each link between switches: planned in $WORK/plan (whole frames) and counted.
compare() { # INNER-HEADER-BYTES
    jq -n --slurpfile plan "$WORK/plan" --slurpfile before "$WORK/before" --slurpfile after "$WORK/after" \
        --argjson frame $((14 + 40 + $1 + 8 + 12 + MTU + 4)) --argjson packets $((QPS * PACKETS)) '
        [$plan[0].flows[].paths[] | select(.sids | length > 0) | . as $path | range(1; .nodes | length - 2)
            | {link: ($path.nodes[.] + ">" + $path.nodes[. + 1]), bytes: ($path.share * $packets * $frame)}]
        | group_by(.link) | map({key: .[0].link, value: map(.bytes) | add}) | from_entries as $planned
        | ($before[0].links | INDEX(.link)) as $was
        | [$after[0].links[] | select(.link | test("leaf.*spine|spine.*leaf"))
            | {link, planned: ($planned[.link] // 0), counted: (.steered_bytes - $was[.link].steered_bytes)}]' \
        >"$WORK/links"
}

within_1_percent() {
    true_of 'length == 32 and all(.planned > 0 and (.counted / .planned - 1 | fabs) <= 0.01)' "$WORK/links" && return
    jq -c '.[] | select(.planned == 0 or (.counted / .planned - 1 | fabs) > 0.01)' "$WORK/links"
    return 1
}

# A hash may leave links without any flow; these must be empty.
as_planned() {
    true_of 'length == 32 and all((.counted - .planned | fabs) <= 0.01 * .planned)' "$WORK/links" && return
    jq -c '.[] | select((.counted - .planned | fabs) > 0.01 * .planned)' "$WORK/links"
    return 1
}
