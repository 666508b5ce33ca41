#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Three tiers with parallel cables: uA picks the cable, and a path of two carriers goes by SRH.
. "$(dirname "$0")/lab_common.sh"
FABRIC=$ROOT/tests/fabrics/lab-three-tier-parallel.yaml

raise "$FABRIC"
[ "$("$LAB" status --json | jq .kernel.uA)" = true ] || skip "this kernel has no uA (Linux 6.6 has it)"

# next LINK-FILTER: the first link of the lab that fits.
next() {
    jq -r "first(.links[] | select($1).link)" "$STATE/lab.json"
}
end_of() {
    jq -r ".links[] | select(.link == \"$1\").to" "$STATE/lab.json"
}

# Up on the highest parallel cable, down on the lowest, through the last agg of the source's leaf.
from=h0
to=$(jq -r '[.nodes[] | select(.kind == "host").node] | last' "$STATE/lab.json")
leaf=$(end_of "$(next ".from == \"$from\"")")
last_leaf=$(end_of "$(next ".from == \"$to\"")")
up1=$(jq -r "[.links[] | select(.from == \"$leaf\" and (.to | startswith(\"agg\"))).link] | last" "$STATE/lab.json")
agg=$(end_of "$up1")
up2=$(jq -r "[.links[] | select(.from == \"$agg\" and (.to | startswith(\"core\"))).link] | last" "$STATE/lab.json")
core=$(end_of "$up2")
down1=$(jq -r --arg leaf "$last_leaf" "(.links | map(select(.to == \$leaf).from)) as \$aggs
    | first(.links[] | select(.from == \"$core\" and (.to | IN(\$aggs[]))).link)" "$STATE/lab.json")
down2=$(next ".from == \"$(end_of "$down1")\" and .to == \"$last_leaf\"")
path="$from>$leaf,$up1,$up2,$down1,$down2,$last_leaf>$to"
sids=$(walk "$FABRIC" "$path")
echo "path $path"
echo "SIDs $sids"
check "the path needs more than one carrier" equal "$(tr ',' '\n' <<<"$sids" | wc -l)" 2

steer "$from" "$to" "$sids"
check "packets with an SRH arrive" equal \
    "$("$LAB" exec "$from" -- ping -q -c 6 -i 0.02 -W 1 "$(port_field "$to" ipv6)" |
        sed -n 's/.* \([0-9]*\) received.*/\1/p')" 6
for link in "$up1" "$up2" "$down1" "$down2"; do
    check "$link carries them" equal "$(counter "$link" steered_packets)" 6
done
check "no other link between switches does" equal "$("$LAB" counters --json |
    jq --slurpfile lab "$STATE/lab.json" '[.links[] | select(.steered_packets > 0).link] as $used
        | [$lab[0].links[] | select(.internal and (.link | IN($used[])))] | length')" 4
verdict
