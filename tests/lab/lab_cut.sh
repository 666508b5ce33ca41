#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cut and heal: both directions, one, for a while even when the shell is gone.
. "$(dirname "$0")/lab_common.sh"

raise "$FABRIC"
steer h0 h5 "$(walk "$FABRIC" "h0>leaf0,leaf0>spine2,spine2>leaf2,leaf2>h5")"
address=$(port_field h5 ipv6)
passes() {
    timeout 0.5 "$LAB" exec h0 -- ping -q -c 1 "$address" || return 1
}
link_is_up() { # NODE DEVICE
    equal "$("$LAB" exec "$1" -- ip -j link show "$2" | jq -r '.[0].operstate')" UP
}

check "the path works" passes
"$LAB" cut leaf0 spine2 >"$WORK/cut"
check "cut names both directions" equal "$(sort "$WORK/cut" | paste -sd' ')" \
    "cut: leaf0>spine2 cut: spine2>leaf0"
check "nothing passes a cut" refuses 1 passes
check "the carrier stays up" link_is_up leaf0 spine2
check "status tells of the cut" equal "$("$LAB" status --json | jq '.cuts | length')" 2
"$LAB" heal spine2 leaf0 >"$WORK/heal"
check "a healed link works" passes

"$LAB" cut spine2 leaf0 --one-way >"$WORK/cut"
check "the other direction of a one-way cut works" passes
"$LAB" cut leaf0 spine2 --one-way >"$WORK/cut"
check "a one-way cut cuts its direction" refuses 1 passes
"$LAB" heal >"$WORK/heal"
check "heal without names heals all" equal "$(wc -l <"$WORK/heal")" 2

"$LAB" cut leaf2 h5 --one-way >"$WORK/cut"
check "the link to a host can be cut" refuses 1 passes
"$LAB" heal leaf2 h5 >"$WORK/heal"

before=$(date +%s%N)
bash -c '"$0" cut leaf0 spine2 --for 400ms >/dev/null; kill -9 $$' "$LAB" &
wait $! 2>/dev/null
check "a cut for a while cuts" refuses 1 passes
for ((tries = 0; tries < 200; tries++)); do
    passes >"$WORK/output" && break
done
check "and heals itself when its shell is dead" between $(($(date +%s%N) - before)) 400000000 1500000000
sleep 0.2
check "and leaves no record" equal "$("$LAB" status --json | jq '.cuts | length')" 0

"$LAB" cut leaf0 spine2 --for 100s >"$WORK/cut"
watchdog=$(jq -s '.[0].pid' "$STATE"/cuts/*.json)
check "the watchdog of a cut lives" test -d "/proc/$watchdog"
"$LAB" heal leaf0 spine2 >"$WORK/heal"
ends() { # PID, within two seconds; a zombie that nobody waits for has ended
    local tries
    for ((tries = 0; tries < 40; tries++)); do
        grep -q . "/proc/$1/cmdline" 2>/dev/null || return 0
        sleep 0.05
    done
    return 1
}
check "and ends when the cut is healed early" ends "$watchdog"
check "who are not neighbours cannot be cut" refuses 1 "$LAB" cut leaf0 leaf1
check "who does not exist cannot be cut" refuses 1 "$LAB" cut leaf0 spine9
check "a bad duration is a matter of usage" refuses 2 "$LAB" cut leaf0 spine2 --for soon
verdict
