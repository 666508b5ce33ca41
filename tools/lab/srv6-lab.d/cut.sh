# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Cuts: everything that crosses a link is dropped where lab.json taps the link, so the devices at both
# ends keep their carrier and only probes can see it. A cut is one nft table, srv6_cut_<link id>, in
# the tap's namespace, ahead of the counters; healing deletes the table.
#
# $STATE/cuts/<link id>.json: {link, cable, token, pid, since, for}. The token names one cut command;
# the watchdog that ends a cut --for D heals only what still bears its token.

need_node() {
    [ "$(lab_query 'any(.nodes[]; .node == $n)' --arg n "$1")" = true ] ||
        die $FAILED "no such node in the lab" "$1"
}

# Directed links between two nodes as lines "id link cable namespace device hook".
links_between() { # A B CABLE-OR-EMPTY ONE-WAY-OR-EMPTY
    lab_query '.links[]
        | select((.from == $a and .to == $b) or ($one == "" and .from == $b and .to == $a))
        | select($k == "" or (.index | tostring) == $k)
        | "\(.id) \(.link) \(.cable) \(.tap.namespace) \(.tap.device) \(.tap.hook)"' \
        --arg a "$1" --arg b "$2" --arg k "$3" --arg one "$4"
}

need_links() { # sets LINKS
    need_node "${ARGUMENTS[1]}"
    need_node "${ARGUMENTS[2]}"
    LINKS=$(links_between "${ARGUMENTS[1]}" "${ARGUMENTS[2]}" "$CABLE" "$ONE_WAY")
    [ -n "$LINKS" ] && return
    [ -z "$CABLE" ] || die $FAILED "they have no cable $CABLE" "${ARGUMENTS[1]} ${ARGUMENTS[2]}"
    die $FAILED "they are not neighbours" "${ARGUMENTS[1]} ${ARGUMENTS[2]}"
}

drop_link() { # ID NAMESPACE DEVICE HOOK
    in_namespace "$2" nft -f - <<END
table netdev srv6_cut_$1
delete table netdev srv6_cut_$1
table netdev srv6_cut_$1 {
  chain drop_all {
    type filter hook $4 device "$3" priority -500
    policy drop
    counter
  }
}
END
}

# Starts the process that ends the cut; it outlives this shell and the terminal. Sets WATCHDOG.
arm() { # SECONDS TOKEN
    setsid "$BIN/srv6-lab" --prefix "$PREFIX" heal-later "$1" "$2" \
        </dev/null >/dev/null 2>&1 9>&- &
    WATCHDOG=$!
}

# Ends the watchdog of a cut unless another link still waits for it.
disarm() { # RECORD
    local pid token
    read -r pid token < <(jq -r '"\(.pid) \(.token)"' "$1")
    rm -f "$1"
    [ "$pid" != 0 ] || return 0
    grep -qsF "\"$token\"" "$STATE"/cuts/*.json && return 0
    # The token in the command line proves that the process is the one that this lab started.
    if tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$token"; then
        kill -TERM "$pid"
    fi
    return 0
}

# A cut takes effect when it is asked for, also on a machine whose processors are busy. Ordinary priority will do where
# the kernel grants no other.
hurry() {
    chrt -r -p 15 $$ 2>/dev/null || true
}

command_cut() {
    take_arguments 2 2
    allow_options --one-way --cable --for --json
    local seconds='' token id link cable namespace device hook failed=''
    local -a injections=()
    if [ -n "$FOR" ]; then
        seconds=$(seconds_of "$FOR") || usage_error "cut: --for: not a duration: $FOR"
    fi
    need_root
    hurry
    need_lab
    take_lock
    need_links
    token=cut-$$-$(date +%s%N)
    WATCHDOG=0
    while read -r id link cable namespace device hook; do
        [ ! -e "$STATE/cuts/$id.json" ] || disarm "$STATE/cuts/$id.json"
        write_cut_record 0
    done <<<"$LINKS"
    if [ -n "$seconds" ]; then
        arm "$seconds" "$token"
        while read -r id link cable namespace device hook; do
            write_cut_record $WATCHDOG
        done <<<"$LINKS"
    fi
    while read -r id link cable namespace device hook; do
        drop_link "$id" "$namespace" "$device" "$hook" 9>&- &
        injections+=($!)
    done <<<"$LINKS"
    for id in "${injections[@]}"; do
        wait "$id" || failed=yes
    done
    if [ -n "$failed" ]; then
        heal_links <<<"$LINKS"
        die $FAILED "the kernel did not take the rules of the cut; nothing is cut"
    fi
    show_cut
}

write_cut_record() { # PID; the rest from command_cut
    printf '{"link":"%s","cable":"%s","id":%d,"token":"%s","pid":%d,"since":"%s","for":"%s"}\n' \
        "$link" "$cable" "$id" "$token" "$1" "$(date +%FT%T.%3N%:z)" "$FOR" >"$STATE/cuts/$id.json"
}

show_cut() {
    local id link rest
    while read -r id link rest; do
        if [ -n "$JSON" ]; then
            jq -c '{link, cable, since, for}' "$STATE/cuts/$id.json"
        else
            echo "cut: $link${FOR:+ for $FOR}"
        fi
    done <<<"$LINKS" | if [ -n "$JSON" ]; then jq -c -s '{cuts: .}'; else cat; fi
}

# Reads lines as links_between prints; prints the links that were cut.
heal_links() {
    local id link cable namespace device hook
    while read -r id link cable namespace device hook; do
        [ -e "$STATE/cuts/$id.json" ] || continue
        in_namespace "$namespace" nft delete table netdev "srv6_cut_$id" 2>/dev/null
        disarm "$STATE/cuts/$id.json"
        echo "$link"
    done
}

command_heal() {
    allow_options --one-way --cable --json
    need_root
    hurry
    need_lab
    take_lock
    if [ ${#ARGUMENTS[@]} -eq 1 ]; then
        LINKS=$(all_links)
    else
        take_arguments 2 2
        need_links
    fi
    heal_links <<<"$LINKS" | if [ -n "$JSON" ]; then
        jq -c -R . | jq -c -s '{healed: .}'
    else
        sed 's/^/healed: /'
    fi
}

all_links() {
    lab_query '.links[] | "\(.id) \(.link) \(.cable) \(.tap.namespace) \(.tap.device) \(.tap.hook)"'
}

# The watchdog (private): ARGUMENTS = heal-later SECONDS TOKEN.
command_heal_later() {
    take_arguments 2 2
    local sleeper
    trap '' HUP
    sleep "${ARGUMENTS[1]}" &
    sleeper=$!
    trap 'kill $sleeper; exit $OK' TERM
    wait $sleeper
    trap '' TERM # disarm must not end the process that does the healing
    [ -e "$STATE/ready" ] || exit $OK
    local id link rest links
    take_lock
    links=$(all_links)
    while read -r id link rest; do
        if grep -qsF "\"${ARGUMENTS[2]}\"" "$STATE/cuts/$id.json"; then
            echo "$id $link $rest"
        fi
    done <<<"$links" | heal_links
}
