#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# srv6-traffic tells the truth about a path, and the lab's rates are what the fabric file says.
. "$(dirname "$0")/lab_common.sh"

raise "$FABRIC"

for family in ipv4 ipv6; do
    receive h5
    send h0 --to h5 --$family --qps 4 --bytes 1MB --rate 20Mbps
    check "$family: an open path delivers all" equal $? 0
    received h5
    check "$family: the receiver has every byte" equal "$(flow_field recv-h5 delivered_bytes)" 1000000
    check "$family: nothing is lost" equal "$(flow_field recv-h5 'lost')" 0
    check "$family: nothing is sent twice" equal "$(flow_field send-h0 resent_packets)" 0
    check "$family: four queue pairs are told apart" equal "$(flow_field recv-h5 'qps | length')" 4
    check "$family: no more than the rate asked for" between \
        "$(flow_field recv-h5 rate_bps)" 0 21000000
done

# A hook of our own that drops every 20th packet of the flow, and counts what it drops.
"$LAB" exec leaf2 -- nft -f - <<'END'
table netdev test_loss {
  counter dropped {
  }
  chain loss {
    type filter hook egress device "h5" priority 0
    udp dport 4791 numgen inc mod 20 19 counter name dropped drop
  }
}
END
receive h5
send h0 --to h5 --bytes 1MB --rate 20Mbps --unreliable
received h5
dropped=$("$LAB" exec leaf2 -- nft -j list counters table netdev test_loss |
    jq '[.nftables[].counter // empty][0].packets')
check "the network really drops" between "$dropped" 40 60
# A drop after the last arrival cannot be seen by a receiver; with 977 packets the last drop is the 960th.
check "loss is counted exactly" equal "$(flow_field recv-h5 lost)" "$dropped"
check "a flow with loss is not complete" equal "$(flow_field recv-h5 complete)" false
receive h5
send h0 --to h5 --bytes 200KB --rate 20Mbps
check "loss does not keep reliable flows from completing" equal $? 0
received h5
check "all bytes are delivered despite loss" equal "$(flow_field recv-h5 delivered_bytes)" 200000
check "and were sent again" between "$(flow_field send-h0 resent_packets)" 1 100000
check "the sender is told of the loss" equal "$(flow_field send-h0 lost)" "$(flow_field recv-h5 lost)"
"$LAB" exec leaf2 -- nft delete table netdev test_loss

receive h5
send h0 --to h5 --bytes 2MB --rate 20Mbps &
sender=$!
sleep 0.3
"$LAB" cut leaf2 h5 --for 200ms >"$WORK/cut"
wait $sender
check "a reliable flow completes across a cut" equal $? 0
received h5
check "the silence of the cut is measured" between \
    "$(flow_field recv-h5 longest_silence_ns)" 180000000 900000000
check "all bytes are delivered across a cut" equal "$(flow_field recv-h5 delivered_bytes)" 2000000

"$LAB" cut leaf2 h5 >"$WORK/cut"
check "nothing delivered in time is exit 6" refuses 6 "$LAB" exec h0 -- "$TRAFFIC" send \
    --fabric "$FABRIC" --host h0 --to h5 --bytes 10KB --rate 1Mbps --timeout 300ms
"$LAB" heal >"$WORK/heal"

# Two hosts offer twice what an uplink carries. All goes over spine0; the rate is that of the fabric
# file: 50 Mbit/s of frames.
steer h0 h4 "$(walk "$FABRIC" "h0>leaf0,leaf0>spine0,spine0>leaf2,leaf2>h4")"
steer h1 h5 "$(walk "$FABRIC" "h1>leaf0,leaf0>spine0,spine0>leaf2,leaf2>h5")"
for pair in "h0 h4" "h1 h5"; do
    read -r from to <<<"$pair"
    "$LAB" exec "$from" -- timeout 20 "$TRAFFIC" send --fabric "$FABRIC" --host "$from" --to "$to" \
        --ipv6 --unreliable --duration 3s --rate 50Mbps --mtu 4096 >"$WORK/flood-$from" &
done
sleep 0.8
bytes_and_time() {
    "$LAB" exec leaf0 -- sh -c 'ip -s -j link show spine0 | jq ".[0].stats64.tx.bytes"; date +%s%N'
}
mapfile -t first < <(bytes_and_time)
sleep 1.5
mapfile -t last < <(bytes_and_time)
wait %?flood-h0 %?flood-h1 2>/dev/null || wait
rate=$(jq -n "(${last[0]} - ${first[0]}) * 8e9 / (${last[1]} - ${first[1]})")
echo "uplink rate under overload: $rate bit/s"
# How near it comes from below depends on the machine; how far above does not.
check "an overloaded uplink runs at no more than its rate" between "$rate" 0 50500000

check "a port in use is told" refuses 1 sh -c '
    "$0" exec h3 -- timeout 2 "$1" recv --for 1s >/dev/null & sleep 0.3
    "$0" exec h3 -- "$1" recv --for 1s; code=$?; wait; exit $code' "$LAB" "$TRAFFIC"
check "options without sense are a matter of usage" refuses 2 "$TRAFFIC" send --to h5

# A whole job's traffic that is interrupted.
job=$ROOT/tests/jobs/lab-alltoall.yaml
check "a scale without sense is a matter of usage" refuses 2 "$LAB" traffic --job "$job" --scale much
rm -f "$STATE/traffic.started"
"$LAB" traffic --job "$job" >/dev/null 2>&1 &
traffic=$!
for ((i = 0; i < 200; i++)); do
    [ -e "$STATE/traffic.started" ] && break
    sleep 0.05
done
kill -TERM $traffic
wait $traffic
check "an interrupted job says so" equal $? 130
sleep 0.5
check "and leaves no process" equal "$(ip netns pids "${SRV6_LAB_PREFIX}h3" | wc -l)" 0
check "and no file" equal "$(find "$STATE" -maxdepth 1 -name 'traffic.??????' | wc -l)" 0
verdict
