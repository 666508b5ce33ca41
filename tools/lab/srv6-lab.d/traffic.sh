# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# traffic: a job's RoCEv2-shaped flows between all hosts at once, and what the kernel counted beside what
# the plan says. The plan comes from srv6-sim, the flows from srv6-traffic, the counts from nft and the devices.

# The responder answers every 16 packets, which takes a slow queue pair of the lab a quarter of a second.
readonly ACK_TIMEOUT=500ms
# A NIC is not delayed by what else the machine does; a process that plays one should be as little as possible.
readonly TRAFFIC_PRIORITY=10

# Runs srv6-traffic on every host of the job, reports in $1/<host>.{recv,send}. Returns the worst exit code of the senders.
run_traffic() { # DIRECTORY
    local directory=$1 host pid worst=0 fabric
    local -a hosts receivers=() senders=()
    fabric=$(lab_query .path)
    rm -f "$STATE/traffic.started" "$STATE/traffic.ended"
    mapfile -t hosts < <(host_names)
    for host in "${hosts[@]}"; do
        chrt -r $TRAFFIC_PRIORITY nsenter --net="/run/netns/$PREFIX$host" "$BIN/srv6-traffic" recv --fabric "$fabric" --host "$host" \
            --ready "$directory/$host.ready" --json \
            </dev/null >"$directory/$host.recv" 2>"$directory/$host.recv.err" 9>&- &
        receivers+=($!)
        TRAFFIC_PIDS+=($!)
    done
    for host in "${hosts[@]}"; do
        until [ -e "$directory/$host.ready" ]; do
            if ! kill -0 "${receivers[@]}" 2>/dev/null; then
                die $FAILED "a receiver did not start" "$(cat "$directory"/*.recv.err | head -n 1)"
            fi
            sleep 0.02
        done
    done
    read_counters >"$directory/before.json"
    for host in "${hosts[@]}"; do
        chrt -r $TRAFFIC_PRIORITY nsenter --net="/run/netns/$PREFIX$host" "$BIN/srv6-traffic" send --job "$JOB" --fabric "$fabric" \
            --host "$host" --scale "$SCALE" --rate-total "$RATE" --qps "$QPS" --mtu "$MTU" \
            --ack-timeout $ACK_TIMEOUT --timeout "$TIMEOUT" \
            ${IPV6:+--ipv6} --json </dev/null >"$directory/$host.send" 2>"$directory/$host.send.err" 9>&- &
        senders+=($!)
        TRAFFIC_PIDS+=($!)
    done
    touch "$STATE/traffic.started" # for scripts that break something under load
    for pid in "${senders[@]}"; do
        wait "$pid"
        local code=$?
        [ $code -le $worst ] || worst=$code
    done
    touch "$STATE/traffic.ended"
    read_counters >"$directory/after.json"
    kill -TERM "${receivers[@]}" 2>/dev/null
    wait "${receivers[@]}"
    TRAFFIC_PIDS=() # all gone: their numbers may be others' now
    return $worst
}

# Planned bytes of a link: each flow's frames (payload and headers of Ethernet, outer and inner IP, UDP, BTH, ICRC)
# times the shares of its paths. A flow is silent when any of its queue pairs is. Counted: frames with encapsulated packets that arrived over the link.
readonly TRAFFIC_FILTER='
    ($before[0].links | INDEX(.link)) as $was
    | ($after[0].links | INDEX(.link)) as $is
    | ($mtu | tonumber) as $mtu | ($qps | tonumber) as $qps | ($scale | tonumber) as $scale
    | ($lab[0].frame_header_bytes + 40 + (if $ipv6 != "" then 40 else 20 end) + 8 + 12 + 4) as $overhead
    | [$plan[0].flows[] | select(.paths | map(.sids | length > 0) | any)
        | (.bytes * $scale) as $bytes
        | ($bytes + $overhead * $qps * ($bytes / $qps / $mtu | ceil)) as $frames
        | .paths[] | {bytes: ($frames * .share), hops: [.nodes, .links]}
        | . as $part | range(0; .hops[1] | length)
        | {link: ($part.hops[0][.] + ">" + $part.hops[0][. + 1]
               + ($part.hops[1][.] | if test("\\.[0-9]+$") then "." + (split(".") | last) else "" end)),
           bytes: $part.bytes}]
    | group_by(.link) | map({key: .[0].link, value: (map(.bytes) | add)}) | from_entries | . as $planned
    | {algorithm: $plan[0].algorithm, fabric: $plan[0].fabric, mtu: $mtu, qps: $qps, family: (if $ipv6 != "" then 6 else 4 end),
       elapsed_ns: ([$sent[].elapsed_ns] | max),
       complete: ([$sent[].complete] | all),
       links: [$lab[0].links[] | select(.internal) | .link
           | {link: ., planned_bytes: ($planned[.] // 0 | round),
              counted_bytes: ($is[.].steered_bytes - $was[.].steered_bytes),
              counted_packets: ($is[.].steered_packets - $was[.].steered_packets),
              dropped_packets: ($is[.].dropped_packets - $was[.].dropped_packets),
              total_bytes: ($is[.].bytes - $was[.].bytes)}
           | . + {deviation: (if .planned_bytes > 0 then .counted_bytes / .planned_bytes - 1 else null end)}],
       flows: ([$received[].flows[]] | map({flow, received_packets, delivered_bytes, lost, reordered, duplicate,
           longest_silence_ns: ([.qps[].longest_silence_ns] | max), complete})) }
    | . + {largest_deviation: ([.links[].deviation // 0 | fabs] | max),
           longest_silence_ns: ([.flows[].longest_silence_ns] | max),
           lost: ([.flows[].lost] | add), reordered: ([.flows[].reordered] | add)}'

print_traffic() {
    local report
    report=$(cat)
    jq -r '"algorithm \(.algorithm): \(.flows | length) flows, \(.qps) QPs each, IPv\(.family), \(.elapsed_ns / 1e7 | round / 100) s"' \
        <<<"$report"
    jq -r '(["LINK", "PLANNED-BYTES", "COUNTED-BYTES", "DIFFERENCE", "DROPPED"],
        (.links[] | [.link, .planned_bytes, .counted_bytes,
            (if .deviation == null then "-" else "\(.deviation * 10000 | round / 100)%" end), .dropped_packets])) | @tsv' \
        <<<"$report" | column -t -s $'\t'
}

# Also when interrupted: nothing goes on sending or receiving, nothing is left in the state directory.
TRAFFIC_PIDS=() TRAFFIC_DIRECTORY=''
clean_traffic() {
    [ ${#TRAFFIC_PIDS[@]} -eq 0 ] || kill "${TRAFFIC_PIDS[@]}" 2>/dev/null
    [ -z "$TRAFFIC_DIRECTORY" ] || rm -rf "$TRAFFIC_DIRECTORY"
}

command_traffic() {
    take_arguments 0 0
    allow_options --job --algorithm --scale --rate --qps --mtu --ipv6 --timeout --json
    need_root
    need_lab
    [ -n "$JOB" ] || usage_error "traffic: --job J is needed"
    local directory code=0
    directory=$(mktemp -d "$STATE/traffic.XXXXXX")
    TRAFFIC_DIRECTORY=$directory
    trap clean_traffic EXIT
    trap 'exit 130' INT TERM
    "$BIN/srv6-sim" plan --fabric "$(lab_query .path)" --job "$JOB" ${ALGORITHM:+--algorithm "$ALGORITHM"} --json \
        >"$directory/plan.json" || die $FAILED "no plan for the job" "$JOB"
    run_traffic "$directory" || code=$?
    if [ $code = $USAGE ]; then # a value that srv6-traffic does not understand
        head -n 1 -q "$directory"/*.send.err | head -n 1 >&2
        exit $USAGE
    fi
    jq -n -c --slurpfile before "$directory/before.json" --slurpfile after "$directory/after.json" \
        --slurpfile plan "$directory/plan.json" --slurpfile lab "$STATE/lab.json" \
        --slurpfile sent <(cat "$directory"/*.send) --slurpfile received <(cat "$directory"/*.recv) \
        --arg mtu "$MTU" --arg qps "$QPS" --arg scale "$SCALE" --arg ipv6 "$IPV6" \
        "$TRAFFIC_FILTER" >"$directory/report.json" ||
        die $FAILED "the reports of srv6-traffic cannot be read" "$directory"
    if [ -n "$JSON" ]; then
        cat "$directory/report.json"
    else
        print_traffic <"$directory/report.json"
    fi
    [ $code = 0 ] || say "not all was delivered" "$(cat "$directory"/*.send.err | head -n 1)"
    exit $code
}
