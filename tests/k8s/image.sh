#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image.sh BUILD SOURCE: the image, of the programs in BUILD: its size and contents; every program runs in it; and prepare, agent and
# clean run in it as the overlay ebpf says, under its capabilities and its seccomp profile, in a network namespace. With
# SRV6_IMAGE_FROM_SOURCE=1 the image is compiled by its Containerfile in a Debian of packages (10 minutes the first time, 4 after).
set -euo pipefail
build=$1 source=$2
command -v buildah >/dev/null || { echo "skipped: buildah is not installed: apt-get install buildah"; exit 77; }
[ "$(id -u)" -eq 0 ] || { echo "skipped: buildah needs root here"; exit 77; }
grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "skipped: the programs are not of Debian 12, whose libraries the image gets"; exit 77; }
grep -q '^SANITIZE:STRING=.' "$build/CMakeCache.txt" && { echo "skipped: sanitizers are no part of the image"; exit 77; }
work=$(mktemp -d)
problems=0 namespace='' pins=/sys/fs/bpf/srv6
readonly MEGABYTES=60

problem() {
    echo "$1"
    problems=$((problems + 1))
}

podman() { command podman --root "$work/store/root" --runroot "$work/store/run" --storage-driver vfs "$@"; }
buildah() { command buildah --root "$work/store/root" --runroot "$work/store/run" --storage-driver vfs "$@"; }

finish() {
    [ -z "$namespace" ] || { podman rm -f --all >/dev/null 2>&1 || true; ip netns del "$namespace" 2>/dev/null || true; }
    [ -z "$namespace" ] || rm -rf "${pins:?}/$device" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

export CONTAINERS_CONF=$work/containers.conf
cat >"$CONTAINERS_CONF" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF

# ---- the image
how=(--programs "$build")
[ -z "${SRV6_IMAGE_FROM_SOURCE:-}" ] || how=(--local-root)
"$source/k8s/build-image" "${how[@]}" --storage "$work/store" --tag localhost/srv6-steer:test --archive "$work/image.tar" >"$work/log" 2>&1 ||
    { cat "$work/log" && echo "the image cannot be built" && exit 1; }
bytes=$(stat -c %s "$work/image.tar")
[ "$bytes" -le $((MEGABYTES * 1000 * 1000)) ] || problem "the image has $bytes bytes, more than $MEGABYTES MB"
echo "image: $((bytes / 1000000)) MB, not compressed"
container=$(buildah from localhost/srv6-steer:test 2>/dev/null)
root=$(buildah mount "$container")
[ "$(ls "$root/usr/bin" | sort | paste -sd' ')" = "$("$source/k8s/image-root" --programs | tr ' ' '\n' | sort | paste -sd' ')" ] || problem "/usr/bin: $(ls "$root/usr/bin")"
[ -z "$(find "$root" -name '*sh' -type f -perm /111 -o -name busybox)" ] || problem "there is a shell"
[ -z "$(find "$root" -perm /6000 -type f)" ] || problem "there are set-uid programs"
[ -z "$(find "$root" -name '*.secret' -o -name '*.keys')" ] || problem "there are keys"
ls "$root"/usr/lib/*/libibverbs/libmlx5-rdmav*.so "$root"/lib/*/libibverbs/libmlx5-rdmav*.so >/dev/null 2>&1 || problem "rdma-core's driver for ConnectX is missing"
for library in libcurl libmicrohttpd; do # that the agent loads itself
    ls "$root"/usr/lib/*/$library* "$root"/lib/*/$library* 2>/dev/null | grep -q . || problem "$library is missing"
done
[ "$(buildah inspect --format '{{.OCIv1.Config.User}}' "$container")" = 65532:65532 ] || problem "its user is not 65532"
for program in $("$source/k8s/image-root" --programs); do
    chroot --userspec=65532:65532 "$root" "/usr/bin/$program" --version >"$work/out" 2>&1 || { problem "$program does not run:" && cat "$work/out"; }
done
buildah rm "$container" >/dev/null

# ---- as a pod of the overlay ebpf
run_pod() { # CONTAINER [podman argument]...: prints nothing; the container's output is in $work/out
    local name=$1 line words=() image=''
    shift
    while IFS= read -r line; do
        if [ "$line" = IMAGE ]; then image=localhost/srv6-steer:test && words+=("$@" "$image"); else words+=("$line"); fi
    done < <("$source/tests/k8s/podman_args" "${overlay:-ebpf}" "$name" "$work/node")
    # The runtime is started in the node's network namespace, as a node's is; hence "host".
    nsenter --net=/run/netns/$namespace podman --root "$work/store/root" --runroot "$work/store/run" --storage-driver vfs \
        run --network host --env NODE_NAME=h0 --env HOST_IP=10.0.0.7 \
        --env KUBERNETES_SERVICE_HOST=10.0.0.7 --env KUBERNETES_SERVICE_PORT=443 "${words[@]}" >"$work/out" 2>&1
}

as_pods() {
    local status
    namespace=srv6image$$ device=img$(($$ % 100000))
    ip netns add $namespace
    ip -n $namespace link add $device type veth peer name peer
    ip -n $namespace link set lo up && ip -n $namespace link set $device up && ip -n $namespace link set peer up
    ip -n $namespace addr add 10.0.0.7/24 dev $device
    mkdir -p "$work/node"/{config,fabric,profiles,secret,keys,run}
    cp "$source/k8s/base/agent.yaml" "$work/node/config/" && echo "* DEVICE=$device" >"$work/node/config/nodes"
    sed -i 's/srv6-agent\.srv6-system\.svc/192.0.2.1/' "$work/node/config/agent.yaml" # no name service here
    cp "$source/k8s/base/fabric.yaml" "$work/node/fabric/" && cp "$source"/k8s/base/seccomp/*.json "$work/node/profiles/"
    "$build/bin/srv6-ctl" keys generate --out "$work/node/secret" --host h0 >/dev/null
    [ -d /sys/fs/bpf ] && mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf

    run_pod prepare --rm || { problem "prepare fails:" && cat "$work/out"; return; }
    run_pod agent --detach --name agent || { problem "the agent does not start:" && cat "$work/out"; return; }
    for _ in $(seq 100); do podman exec agent srv6-ctl status >/dev/null 2>&1 && break || sleep 0.2; done
    status=$(podman exec agent srv6-ctl status --json 2>&1) || { problem "srv6-ctl in the agent's container: $status" && podman logs agent; return; }
    [ "$(podman exec agent srv6-ctl status --json | jq -r .host)" = h0 ] || problem "status: $status"
    podman logs agent >"$work/agent.log" 2>&1
    grep -h -o 'probes go through [^"]*' "$work/agent.log" || true
    [ -e "$pins/$device" ] || problem "the rules' maps are not pinned on the node"
    # io_uring is what the profile is for; where the kernel of this machine has none of it, epoll is right.
    if [ "$(cat /proc/sys/kernel/io_uring_disabled 2>/dev/null || echo 0)" = 0 ]; then
        grep -q 'probes go through io_uring' "$work/agent.log" || { problem "io_uring is not used:" && grep probes "$work/agent.log"; }
    fi
    nsenter --net=/run/netns/$namespace curl -sf http://10.0.0.7:9750/livez >/dev/null || problem "/livez does not answer at the node's address"
    nsenter --net=/run/netns/$namespace curl -sf http://10.0.0.7:9750/startupz >/dev/null || problem "/startupz does not answer"
    local pid
    pid=$(podman inspect --format '{{.State.Pid}}' agent)
    # NET_ADMIN 12, NET_RAW 13, PERFMON 38, BPF 39: nothing else, and no way to more.
    [ "$(awk '/^CapEff/ {print $2}' "/proc/$pid/status")" = 000000c000003000 ] || problem "the agent's capabilities: $(grep Cap "/proc/$pid/status" | paste -sd' ')"
    [ "$(awk '/^NoNewPrivs|^Seccomp:/ {print $2}' "/proc/$pid/status" | paste -sd' ')" = "1 2" ] || problem "the agent may gain privileges, or has no seccomp filter"
    grep -qE '"(level|severity)": ?"alarm"|may not|not permitted' "$work/agent.log" && { problem "the agent lacks a permission:" && grep -E 'alarm|may not|not permitted' "$work/agent.log"; }

    overlay=clean prepare_clean
    (overlay=clean run_pod clean --rm) && problem "clean does not mind that an agent runs"
    podman stop -t 10 agent >/dev/null
    [ "$(podman inspect --format '{{.State.ExitCode}}' agent)" = 0 ] || problem "the agent does not end well"
    (overlay=clean run_pod clean --rm) || { problem "clean fails:" && cat "$work/out"; }
    [ ! -e "$pins/$device" ] || problem "pins stay"
    [ ! -e "$work/node/run/srv6" ] && [ ! -e "$work/node/var/lib/kubelet/seccomp/srv6" ] || problem "files stay: $(find "$work/node/run" "$work/node/var" | paste -sd' ')"
}

prepare_clean() { mkdir -p "$work/node/run" "$work/node/var/lib/kubelet/seccomp"; }

if ! command -v podman >/dev/null || ! command -v runc >/dev/null; then
    echo "not as pods: podman or runc is not installed"
elif ! ip netns add srv6probe$$ 2>/dev/null; then
    echo "not as pods: network namespaces cannot be made here"
else
    ip netns del srv6probe$$
    as_pods
fi
echo "$problems problems"
[ "$problems" -eq 0 ]
