#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# keys.sh BIN SOURCE: k8s/fleet-keys against a stand-in for kubectl that keeps the Secret in a folder. At every rollout each agent
# restarts at some moment: so what any host uses, before or after, must be accepted by who has the keys of before and by who has those
# of after.
set -euo pipefail
bin=$1 source=$2
export BIN=$bin STATE
STATE=$(mktemp -d)
trap 'rm -rf "$STATE"' EXIT
mkdir "$STATE/bin"
problems=0

problem() {
    echo "$1"
    problems=$((problems + 1))
}

cat >"$STATE/bin/kubectl" <<'KUBECTL'
#!/bin/bash
# What fleet-keys asks of kubectl, and nothing else.
set -euo pipefail
echo "$*" >>"$STATE/calls"
[ "$1" != --namespace ] || shift 2
secret=$STATE/secret

# Whoever restarts first has the new keys, whoever restarts last the old ones: does everybody still accept everybody?
check_rollout() {
    local holder user file line
    for user in old new; do
        [ "$user" = new ] && folder=$secret || folder=$STATE/before
        for file in "$folder"/*.secret; do
            [ -e "$file" ] || continue
            host=$(basename "$file" .secret)
            line=$("$BIN/srv6-ctl" keys line "$file" --host "$host")
            for holder in "$STATE/before" "$secret"; do
                [ -e "$holder/fleet.keys" ] || continue
                # A host that is new to one of the two, or leaves, is no member there yet or any more.
                [ -e "$STATE/before/$host.secret" ] && [ -e "$secret/$host.secret" ] || continue
                grep -q -F "$line" "$holder/fleet.keys" || echo "$host's $user key is not in $holder" >>"$STATE/outages"
            done
        done
    done
    rm -rf "$STATE/before" && cp -r "$secret" "$STATE/before"
}

case "$1 $2" in
"get nodes") cat "$STATE/nodes" ;;
"get secret")
    [ -d "$secret" ] || { echo 'Error from server (NotFound): secrets "srv6-keys" not found' >&2 && exit 1; }
    case $* in
    *go-template*) for file in "$secret"/*; do echo "$(basename "$file") $(base64 -w0 <"$file")"; done ;;
    *) echo secret/srv6-keys ;;
    esac
    ;;
"create secret")
    for word; do case $word in --from-file=*) from=${word#*=} ;; esac; done
    tar -C "$from" -cf - . | base64 -w0
    ;;
"create -f" | "replace -f")
    if [ "$1" = create ]; then [ ! -d "$secret" ]; else [ -d "$secret" ]; fi || { echo "$1: wrong" >&2 && exit 1; }
    rm -rf "$secret" && mkdir "$secret" && base64 -d <"$3" | tar -C "$secret" -xf -
    ;;
"get daemonset/srv6-agent") [ -e "$STATE/installed" ] ;;
"rollout restart") check_rollout ;;
"rollout status") [ ! -e "$STATE/broken" ] ;;
*) echo "kubectl: unexpected: $*" >&2 && exit 1 ;;
esac
KUBECTL
chmod +x "$STATE/bin/kubectl"
export KUBECTL=$STATE/bin/kubectl SRV6_CTL=$bin/srv6-ctl TMPDIR=$STATE

keys() { "$source/k8s/fleet-keys" "$@" >"$STATE/out" 2>&1; }
expect() { keys "$@" || { problem "fleet-keys $*: exit status $?"; cat "$STATE/out"; }; }
secrets() { (cd "$STATE/secret" && ls | sort | paste -sd' '); }
sums() { (cd "$STATE/secret" && cat h?.secret | sha256sum); }
rollouts() { grep -c 'rollout restart' "$STATE/calls" || true; }

address() { awk -v host="$1" '$1 == host {print $4}' "$STATE/secret/fleet.keys" | paste -sd' '; }
expect_address() { # HOST ADDRESS
    [ "$(address "$1")" = "$2" ] || problem "address of $1: $(address "$1"), not $2"
}

printf 'h0 10.1.0.1\nh1 fd00::2 10.1.0.2\nh2\n' >"$STATE/nodes"
keys list && problem "a list of no keys" || true
expect create
[ "$(secrets)" = "fleet.keys h0.secret h1.secret h2.secret" ] || problem "create: $(secrets)"
[ "$(rollouts)" = 0 ] || problem "a rollout before anything is installed"
expect_address h0 tcp://10.1.0.1:7946
expect_address h1 'tcp://[fd00::2]:7946'
expect_address h2 ''
touch "$STATE/installed" && cp -r "$STATE/secret" "$STATE/before"
before=$(sums)
expect create
[ "$(sums)" = "$before" ] || problem "create changes keys that are there"
printf 'h0 h1\nh3=10.1.0.4 # new\n' >"$STATE/hosts"
expect --hosts "$STATE/hosts" create
[ "$(secrets)" = "fleet.keys h0.secret h1.secret h2.secret h3.secret" ] || problem "create of one more: $(secrets)"
[ "$(rollouts)" = 1 ] || problem "a new host is not told to the others"
expect_address h0 tcp://10.1.0.1:7946
expect_address h3 tcp://10.1.0.4:7946

before=$(sums)
expect rotate
[ "$(rollouts)" = 4 ] || problem "rotate makes $(($(rollouts) - 1)) rollouts"
[ "$(secrets)" = "fleet.keys h0.secret h1.secret h2.secret h3.secret" ] || problem "rotate leaves $(secrets)"
[ "$(sums)" != "$before" ] && [ "$(wc -l <"$STATE/secret/fleet.keys")" = 4 ] || problem "rotate: the old keys still hold"
for file in "$STATE"/secret/*.secret; do
    line=$("$bin/srv6-ctl" keys line "$file" --host "$(basename "$file" .secret)")
    grep -q -F "$line" "$STATE/secret/fleet.keys" || problem "rotate: $(basename "$file") has no line"
done

# Stopped at any of its rollouts, it goes on.
touch "$STATE/broken"
keys rotate h1 && problem "a rollout that does not end is no error"
grep -q 'call fleet-keys again' "$STATE/out" || problem "does not say how to go on: $(cat "$STATE/out")"
rm "$STATE/broken"
expect rotate h1
[ "$(secrets)" = "fleet.keys h0.secret h1.secret h2.secret h3.secret" ] || problem "rotate after an interruption: $(secrets)"

expect_address h0 tcp://10.1.0.1:7946
expect_address h3 tcp://10.1.0.4:7946
before=$(sums)
sed -i 's/10.1.0.1/10.1.0.9/' "$STATE/nodes"
made=$(rollouts)
expect --port 7947 create
expect_address h0 tcp://10.1.0.9:7947
expect_address h1 'tcp://[fd00::2]:7947'
[ "$(rollouts)" = $((made + 1)) ] && [ "$(sums)" = "$before" ] || problem "a node's new address is not told, or changes keys"

expect revoke h2
[ "$(secrets)" = "fleet.keys h0.secret h1.secret h3.secret" ] || problem "revoke: $(secrets)"
grep -q '^h2 ' "$STATE/secret/fleet.keys" && problem "revoke: others still accept it"
keys revoke h9 && problem "revokes who is not there"
expect list
[ ! -e "$STATE/outages" ] || { problem "members that would refuse each other:"; sort -u "$STATE/outages"; }
[ -z "$(find "$STATE" /dev/shm -maxdepth 1 -name 'tmp.*' -newer "$STATE/bin/kubectl" -user "$(id -u)" -exec test -d {}/keys ';' -print 2>/dev/null)" ] || problem "secrets stay in a folder"
grep -q 'apply' "$STATE/calls" && problem "apply would note all keys in an annotation"

echo "$problems problems"
[ "$problems" -eq 0 ]
