# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Caps: a link carries less than its rate, as a bundle of cables does that lost some. Nothing is dropped but what its
# queue cannot hold. The classes that limit the link's device (srv6-lab-plan writes them) get another rate; nothing of
# it is noted anywhere: `cap A B full` gives each link the rate of the fabric file again.

# "25Mbps", "0.4Gbps", "9600kbps" -> bits per second; fails on anything else.
bits_of() {
    [[ $1 =~ ^([0-9]+(\.[0-9]+)?)(k|M|G)bps$ ]] || return 1
    local exponent=3
    case ${BASH_REMATCH[3]} in
        M) exponent=6 ;;
        G) exponent=9 ;;
    esac
    jq -n "${BASH_REMATCH[1]} * 1e$exponent | floor"
}

# The shape that srv6-lab-plan gives a device, at another rate.
limit_device() { # NAMESPACE DEVICE BITS FRAME
    local burst=$(($3 / 8000)) probes=$(($3 / 10))
    [ $burst -gt "$4" ] || burst=$4
    in_namespace "$1" tc -batch - <<END
class change dev $2 parent 1: classid 1:1 htb rate ${3}bit ceil ${3}bit burst ${burst}b cburst ${burst}b quantum $4
class change dev $2 parent 1:1 classid 1:10 htb rate ${probes}bit ceil ${3}bit burst ${burst}b cburst ${burst}b prio 0 quantum $4
class change dev $2 parent 1:1 classid 1:20 htb rate $(($3 - probes))bit ceil ${3}bit burst ${burst}b cburst ${burst}b prio 1 quantum $4
END
}

command_cap() {
    take_arguments 3 3
    allow_options --one-way --cable --json
    local bits='' link namespace device nominal frame rate
    if [ "${ARGUMENTS[3]}" != full ]; then
        bits=$(bits_of "${ARGUMENTS[3]}") && [ "$bits" -ge 100000 ] ||
            usage_error "cap: not a rate of 100kbps or more, or full: ${ARGUMENTS[3]}"
    fi
    need_root
    need_lab
    take_lock
    need_links
    frame=$((9000 + $(lab_query .frame_header_bytes)))
    while read -r link namespace device nominal; do
        rate=${bits:-$nominal}
        [ "$rate" -le "$nominal" ] || die $FAILED "its rate is only $nominal bit/s" "$link"
        limit_device "$namespace" "$device" "$rate" $frame || die $FAILED "the kernel refuses the rate" "$link"
        if [ -n "$JSON" ]; then
            jq -n -c --arg link "$link" --argjson rate "$rate" '{link: $link, rate_bps: $rate}'
        else
            echo "cap: $link carries $rate bit/s"
        fi
    done < <(lab_query '($ids | split("\n") | map(tonumber)) as $ids
        | .links[] | select(.id | IN($ids[])) | "\(.link) \(.namespace) \(.device) \(.rate_bps)"' \
        --arg ids "$(cut -d' ' -f1 <<<"$LINKS")") |
        if [ -n "$JSON" ]; then jq -c -s '{caps: .}'; else cat; fi
}
