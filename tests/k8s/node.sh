#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# node.sh BIN SOURCE: srv6-node on the manifests' own configuration: what it writes is what srv6-agent --check accepts, on every
# host of the fabric; keys, names, faults; and, as root, in a network namespace: an agent's rules, pins, addresses, sysctls and
# files are gone after clean, and what was there before stays.
set -euo pipefail
bin=$1 source=$2
node=$bin/srv6-node
work=$(mktemp -d)
problems=0

problem() {
    echo "$1"
    problems=$((problems + 1))
}

# expect WHAT COMMAND...
expect() {
    local what=$1
    shift
    "$@" >"$work/out" 2>&1 || { problem "$what: exit status $?"; sed 's/^/    /' "$work/out"; }
}

# refuse STATUS TEXT COMMAND...: fails with the status and says the text.
refuse() {
    local status=$1 text=$2 rc=0
    shift 2
    "$@" >"$work/out" 2>&1 || rc=$?
    [ "$rc" -eq "$status" ] || problem "exit status $rc instead of $status: $*"
    grep -q -F -- "$text" "$work/out" || { problem "does not say \"$text\""; sed 's/^/    /' "$work/out"; }
}

namespace=''
agent=''
finish() {
    [ -z "$agent" ] || kill -9 "$agent" 2>/dev/null || true
    [ -z "$namespace" ] || ip netns del "$namespace" 2>/dev/null || true
    [ -z "${pins:-}" ] || rm -rf "$pins" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# As kubelet mounts a ConfigMap: names are links into a folder with a dot.
mount_like() { # FROM TO
    mkdir -p "$2/..2026"
    cp "$1"/* "$2/..2026" 2>/dev/null || true
    ln -sfn ..2026 "$2/..data"
    local file
    for file in "$2"/..2026/*; do
        ln -sfn "..data/$(basename "$file")" "$2/$(basename "$file")"
    done
}

# A node in $work/NAME with everything that `prepare` reads. There is no name service here.
make_node() { # NAME OVERLAY
    local directory=$work/$1 overlay=$source/k8s/overlays/$2 base=$source/k8s/base name
    mkdir -p "$directory"/{files,fabric-files,ipv6/{all,lo,eth0,eth1,eth9},profile-files}
    for name in agent.yaml nodes; do
        cp "$([ -f "$overlay/$name" ] && echo "$overlay" || echo "$base")/$name" "$directory/files/"
    done
    sed -i 's/srv6-agent\.srv6-system\.svc/192.0.2.1/' "$directory/files/agent.yaml"
    cp "$([ -f "$overlay/fabric.yaml" ] && echo "$overlay" || echo "$base")/fabric.yaml" "$directory/fabric-files/"
    cp "$base"/seccomp/*.json "$directory/profile-files/"
    for name in "$directory"/ipv6/*; do echo 0 >"$name/seg6_enabled"; done
    mount_like "$directory/files" "$directory/config"
    mount_like "$directory/fabric-files" "$directory/fabric"
    mount_like "$directory/profile-files" "$directory/profiles"
}

command_for() { # NAME COMMAND: prints the words
    local directory=$work/$1
    echo "$node" "$2" --config "$directory/config" --fabric "$directory/fabric" --secret "$work/secret" --keys "$directory/keys" \
        --profiles "$directory/profiles" --seccomp "$directory/seccomp" --ipv6 "$directory/ipv6" --run "$directory/run"
}

prepare() { # NAME HOST ADDRESS
    NODE_NAME=$2 HOST_IP=$3 $(command_for "$1" prepare)
}

# ---- keys of a fleet, as the Secret has them
mkdir "$work/made"
for host in h0 h1 h2 h3; do "$bin/srv6-ctl" keys generate --out "$work/made" --host $host >/dev/null; done
mount_like "$work/made" "$work/secret"

# ---- every overlay's configuration, on every host of its fabric
for overlay in ebpf connectx lab; do
    for host in h0 h3; do
        make_node "$overlay-$host" $overlay
        expect "$overlay on $host: prepare" prepare "$overlay-$host" $host 10.0.0.7
        file=$work/$overlay-$host/run/node/agent.yaml
        sed "s|/keys/|$work/$overlay-$host/keys/|" "$file" >"${file%.yaml}-check.yaml"
        expect "$overlay on $host: srv6-agent --check" "$bin/srv6-agent" --config "${file%.yaml}-check.yaml" --check
        grep -q "host $host of fabric" "$work/out" || problem "$overlay: --check does not speak of host $host"
        grep -q "tcp://10.0.0.7:7946" "$file" || problem "$overlay: the agent does not listen on its node's address"
        cmp -s "$work/made/$host.secret" "$work/$overlay-$host/keys/host.secret" || problem "$overlay: $host has another's key"
    done
done
directory=$work/ebpf-h0
[ "$(ls "$directory/keys")" = "$(printf 'fleet.keys\nhost.secret')" ] || problem "more keys are handed on than the host's own"
[ "$(stat -c %a "$directory/keys/host.secret" "$directory/keys/fleet.keys" | sort -u)" = 400 ] || problem "keys have not mode 0400"
cmp -s "$source/k8s/base/seccomp/agent-v1.json" "$directory/seccomp/agent-v1.json" || problem "the seccomp profile is not installed"
[ "$(cat "$directory/ipv6/eth1/seg6_enabled" "$directory/ipv6/all/seg6_enabled" "$directory/ipv6/eth9/seg6_enabled")" = "$(printf '1\n1\n0')" ] ||
    problem "seg6_enabled is not set for the port and all, and only for them"
expect "prepare once more" prepare ebpf-h0 h0 10.0.0.7
[ "$(grep -c '^seg6 eth1 0$' "$directory/run/node/journal")" = 1 ] || problem "the journal does not hold the first value once"
[ -z "$(sort "$directory/run/node/journal" | uniq -d)" ] || problem "the journal holds a line twice"
[ -z "$(find "$directory" -name '*.new')" ] || problem "temporary files stay"

# ---- names
make_node names ebpf
printf '# names\nnode-e.example DEVICE=eth1 HOST=h1\n* DEVICE=eth0\nnode-a.example HOST=h2 DEVICE=eth1 # ours\nnode-b.example HOST=h3\n' >"$work/names/files/nodes"
mount_like "$work/names/files" "$work/names/config"
expect "a node with a line of its own" prepare names node-a.example fd00::7
grep -q '^host: h2$' "$work/names/run/node/agent.yaml" || problem "HOST of the node's line is not used"
grep -q 'device: eth1$' "$work/names/run/node/agent.yaml" || problem "the node's own line does not win over *"
grep -q 'tcp://\[fd00::7\]:7946' "$work/names/run/node/agent.yaml" || problem "an IPv6 address is not put in brackets"
expect "a node whose own line comes before *" prepare names node-e.example 10.0.0.7
grep -q 'device: eth1$' "$work/names/run/node/agent.yaml" || problem "* wins over the node's own line before it"
expect "a node that leaves DEVICE to *" prepare names node-b.example 10.0.0.7
grep -q 'device: eth0$' "$work/names/run/node/agent.yaml" || problem "* is not used"

# ---- faults, each with its sentence
refuse 1 "the Secret has no h9.secret" prepare names h9 10.0.0.7
printf 'h0 HOST=h0\n' >"$work/names/files/nodes" && mount_like "$work/names/files" "$work/names/config"
refuse 1 "nothing sets DEVICE" prepare names h0 10.0.0.7
printf '\nh0 device=eth1\n' >"$work/names/files/nodes" && mount_like "$work/names/files" "$work/names/config"
refuse 1 "nodes:2: device=eth1: NAME=VALUE expected" prepare names h0 10.0.0.7
printf '* DEVICE=eth1\n* DEVICE=eth2\n' >"$work/names/files/nodes" && mount_like "$work/names/files" "$work/names/config"
refuse 1 "nodes:2: DEVICE is set in line 1 already" prepare names h0 10.0.0.7
printf '* DEVICE=eth7\n' >"$work/names/files/nodes" && mount_like "$work/names/files" "$work/names/config"
refuse 1 "eth7/seg6_enabled: No such file or directory: no such port" prepare names h0 10.0.0.7
printf '* DEVICE=eth1 HOST=h77\n' >"$work/names/files/nodes" && mount_like "$work/names/files" "$work/names/config"
cp "$work/made/h0.secret" "$work/made/shared.secret" && mount_like "$work/made" "$work/secret"
refuse 1 "h77" prepare names h0 10.0.0.7
cmp -s "$work/made/shared.secret" "$work/names/keys/host.secret" || problem "the shared key is not used where a host has none"
printf 'nonsense: ${DEVICE\n' >"$work/names/files/agent.yaml" && mount_like "$work/names/files" "$work/names/config"
refuse 1 'agent.yaml:1: ${ without a name and }' prepare names h0 10.0.0.7
refuse 1 "NODE_NAME is not set" env -u NODE_NAME $(command_for names prepare)
refuse 2 "no command is called" "$node" sweep
refuse 2 "a command is missing" "$node"

# ---- clean, without an agent
expect "clean" $(command_for ebpf-h0 clean)
[ "$(cat "$directory"/ipv6/*/seg6_enabled | sort -u)" = 0 ] || problem "seg6_enabled is not put back"
[ ! -e "$directory/run" ] && [ ! -e "$directory/seccomp" ] || problem "files stay: $(find "$directory/run" "$directory/seccomp" 2>/dev/null | tr '\n' ' ')"
expect "clean where nothing is" $(command_for ebpf-h0 clean)
echo theirs >"$work/lab-h0/run/theirs"
mkdir -p "$work/lab-h0/seccomp/theirs/more"
expect "clean beside somebody else's files" $(command_for lab-h0 clean)
[ -d "$work/lab-h0/seccomp/theirs/more" ] && [ ! -e "$work/lab-h0/seccomp/agent-v1.json" ] || problem "profiles: not ours alone is gone"
[ "$(find "$work/lab-h0/run" -type f)" = "$work/lab-h0/run/theirs" ] || problem "somebody else's file is gone, or ours stays"

# ---- with an agent
has_address() { # no pipe into grep -q, which would end the writer
    case $(ip -n "$namespace" -6 addr show dev lo) in
    *" $1/128 "*) return 0 ;;
    esac
    return 1
}

with_agent() {
    namespace=srv6node$$ pins=/sys/fs/bpf/srv6/test-node-$$
    ip netns add $namespace 2>/dev/null || { namespace='' && return 77; }
    ip -n $namespace link add eth1 type veth peer name peer
    ip -n $namespace link set lo up && ip -n $namespace link set eth1 up && ip -n $namespace link set peer up
    ip -n $namespace addr add 10.0.0.7/24 dev eth1
    make_node live ebpf
    sed -i -e "s|/bpf/srv6/|$pins/|" -e "s|/keys/|$work/live/keys/|" "$work/live/files/agent.yaml"
    echo "socket: $work/live/run/agent.sock" >>"$work/live/files/agent.yaml"
    mount_like "$work/live/files" "$work/live/config"
    local inside="nsenter --net=/run/netns/$namespace" words address
    # The namespace's own sysctls: /proc/sys/net shows those of who looks.
    words=$(command_for live prepare | sed "s|$work/live/ipv6|/proc/sys/net/ipv6/conf|")
    # No capability: user 0 may write sysctls of its network namespace, and that is all the init container has.
    expect "prepare in a namespace, without capabilities" env NODE_NAME=h0 HOST_IP=10.0.0.7 $inside setpriv --bounding-set=-all --inh-caps=-all $words
    [ "$($inside cat /proc/sys/net/ipv6/conf/eth1/seg6_enabled)" = 1 ] || problem "the kernel's seg6_enabled is not set"
    address=$(sed -n 's/^address \([^ ]*\) .*/\1/p' "$work/live/run/node/journal")
    # As a pod, though of a cluster without an API server.
    env KUBERNETES_SERVICE_HOST=10.0.0.7 KUBERNETES_SERVICE_PORT=443 $inside "$bin/srv6-agent" --config "$work/live/run/node/agent.yaml" </dev/null >"$work/agent.log" 2>&1 &
    agent=$!
    for _ in $(seq 100); do "$bin/srv6-ctl" --socket "$work/live/run/agent.sock" status >/dev/null 2>&1 && break || sleep 0.1; done
    [ -e "$pins/eth1" ] || { problem "the agent does not pin where the manifests say"; cat "$work/agent.log"; return 0; }
    has_address "$address" || problem "the agent has no uSID address"
    words=$(command_for live clean | sed "s|$work/live/ipv6|/proc/sys/net/ipv6/conf|")
    refuse 7 "another process drives this NIC" $inside $words
    [ -e "$work/live/run/node/agent.yaml" ] || problem "a refused clean takes the configuration away"
    kill "$agent" && wait "$agent" || problem "the agent did not end well"
    agent=''
    [ -e "$pins/eth1/link_egress" ] || [ -n "$($inside tc filter show dev eth1 egress 2>/dev/null)" ] || problem "no rules are left to clean: the test is void"
    echo '[]' >"$work/live/run/pods.json" # as an agent that reads pods leaves it
    expect "clean after the agent" $inside $words
    [ ! -e "$pins" ] || problem "pins stay: $(find "$pins" | tr '\n' ' ')"
    [ -z "$($inside tc filter show dev eth1 egress 2>/dev/null)$($inside bpftool net show dev eth1 2>/dev/null | grep -i srv6 || true)" ] || problem "programs stay at the port"
    ! has_address "$address" || problem "the uSID address stays"
    [ "$($inside cat /proc/sys/net/ipv6/conf/eth1/seg6_enabled)" = 0 ] || problem "seg6_enabled stays"
    [ ! -e "$work/live/run" ] || problem "files stay: $(find "$work/live/run" | tr '\n' ' ')"
    # What was there before the agent stays.
    expect "to give lo the address" $inside ip -6 addr add "$address/128" dev lo
    $inside sysctl -q -w net.ipv6.conf.eth1.seg6_enabled=1
    expect "prepare where all is set" env NODE_NAME=h0 HOST_IP=10.0.0.7 $inside $(command_for live prepare | sed "s|$work/live/ipv6|/proc/sys/net/ipv6/conf|")
    expect "clean where all was set" $inside $words
    has_address "$address" || problem "an address that was there before is taken away"
    [ "$($inside cat /proc/sys/net/ipv6/conf/eth1/seg6_enabled)" = 1 ] || problem "seg6_enabled, which was set before, is not"
}
if [ "$(id -u)" -eq 0 ]; then
    with_agent || echo "not with an agent: network namespaces cannot be made here"
else
    echo "not with an agent: not root"
fi

echo "$problems problems"
[ "$problems" -eq 0 ]
