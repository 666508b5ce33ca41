# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by tests/k8s/run: where things are, and processes that are ours to end.
#
# $CLUSTER is a tmpfs: the disks of all nodes, the store of etcd, logs. Unmounting it takes them away.
#   bin        -> programs (tests/k8s/get-cluster)
#   pid/NAME   pid and start time of a process that was launched; pid/order: their names in order
#   log/NAME   what it says; on a failure these logs are named, and kept with --keep
#   node/NAME  {var,run,bpf}: the node's own /var, /run and /sys/fs/bpf
CLUSTER=/tmp/srv6-k8s-cluster
NODES=(h0 h2 h4 h6) # one under each leaf, so that every flow crosses the fabric
API_ADDRESS=10.255.255.1 SERVICE_RANGE=10.222.0.0/24 API_SERVICE=10.222.0.1 DNS_SERVICE=10.222.0.10
CGROUP=srv6-k8s-test
export SRV6_LAB_PREFIX=k8s- LAB_TEST_PREFIX=k8s-

say() { echo "# $*"; }

# A process's start time tells it from a later one of the same number; nothing for one that has ended.
start_time_of() { # PID
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

# launch NAME COMMAND...: in a session of its own, noted before anything else can happen, without the lock (8).
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$CLUSTER/log/$name" 2>&1 8>&- &
    printf '%d %s\n' $! "$(start_time_of $!)" >"$CLUSTER/pid/$name"
    disown
    echo "$name" >>"$CLUSTER/pid/order"
}

running() { # NAME: prints its pid
    local pid since
    read -r pid since 2>/dev/null <"$CLUSTER/pid/$1" || return 1
    [ -n "$since" ] && [ "$(start_time_of "$pid")" = "$since" ] && echo "$pid"
}

# halt NAME...: asks all, waits for them together, kills who does not go.
halt() {
    local name pid tries
    for name; do
        pid=$(running "$name") && kill -TERM "$pid"
    done
    for ((tries = 0; tries < 100; tries++)); do
        for name; do
            running "$name" >/dev/null && sleep 0.05 && continue 2
        done
        break
    done
    for name; do
        pid=$(running "$name") && kill -KILL "$pid"
        rm -f "$CLUSTER/pid/$name"
    done
    return 0
}

# within SECONDS COMMAND...: comes true; what it said last stays in $CLUSTER/last.
within() {
    local deadline=$(($(date +%s%N) + $1 * 1000000000))
    shift
    until "$@" >"$CLUSTER/last" 2>&1; do
        if [ "$(date +%s%N)" -ge "$deadline" ]; then
            tail -n 5 "$CLUSTER/last"
            return 1
        fi
        sleep 0.1
    done
}

seconds_since() { # NANOSECONDS: with one decimal
    awk "BEGIN { printf \"%.1f\", ($(date +%s%N) - $1) / 1e9 }"
}

in_mgmt() { nsenter --net="/run/netns/${SRV6_LAB_PREFIX}mgmt" "$@"; }

kube() { "$CLUSTER/kubectl" "$@"; }

# A node's first process is the child of the one that was launched; when it is gone, all of the node's are.
switch_off() { # NODE: as by its power button
    local pid
    pid=$(running "$1") && pkill -KILL -P "$pid"
    halt "$1"
}

take_down() {
    local mounted node order=()
    [ ! -e "$CLUSTER/pid/order" ] || mapfile -t order < <(tac "$CLUSTER/pid/order")
    for node in "${NODES[@]}"; do
        [ ! -e "$CLUSTER/pid/$node" ] || switch_off "$node"
    done
    [ ${#order[@]} -eq 0 ] || halt "${order[@]}"
    "$LAB" down
    for mounted in $(awk -v c="$CLUSTER" 'index($2, c "/") == 1 || $2 == c { print $2 }' /proc/mounts | tac); do
        umount "$mounted" || umount -l "$mounted"
    done
    rmdir "$CLUSTER" 2>/dev/null
    remove_cgroups
}

# Those of containers that a node left when it was switched off.
remove_cgroups() {
    local folder
    for folder in /sys/fs/cgroup/$CGROUP /sys/fs/cgroup/*/$CGROUP; do
        [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} \; 2>/dev/null
    done
    return 0
}
