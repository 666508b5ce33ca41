#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What srv6-ctl, srv6-top and srv6-drill answer without an agent: exit codes of the contract, one
# sentence on stderr, files checked and written. usage: tools_cli.sh BIN-DIRECTORY
set -u -o pipefail
PATH=$1:$PATH
unset SRV6_AGENT
WORK=$(mktemp -d) || exit 1
trap 'rm -rf "$WORK"' EXIT
FAILURES=0

# expect CODE TEXT COMMAND...: exit code, and TEXT somewhere in its output.
expect() {
    local code=$1 text=$2 output got
    shift 2
    output=$("$@" 2>&1 </dev/null)
    got=$?
    if [ $got -ne "$code" ] || [[ $output != *"$text"* ]]; then
        echo "FAILED: $*: exit $got (wanted $code), wanted '$text' in: $output"
        FAILURES=$((FAILURES + 1))
    fi
}

for tool in srv6-ctl srv6-top srv6-drill; do
    expect 0 "usage: $tool" $tool --help
    expect 0 "$tool " $tool --version
    expect 2 "unknown option: --nonsense" $tool --nonsense
    # /dev/full takes nothing: a tool that cannot say it must not claim success.
    $tool --help >/dev/full 2>&1 && expect 1 '' false "$tool --help >/dev/full"
done

NOBODY=$WORK/none.sock
for command in status members links jobs flows rules events 'why h0>h1' 'paths h0 h1' 'trace h0>h1' \
    'status --check' 'links --why a>b' 'job remove x' 'link drain a-b' 'events -f'; do
    # shellcheck disable=SC2086
    expect 3 "srv6-ctl: agent does not answer: $NOBODY" srv6-ctl --socket "$NOBODY" $command
done
expect 3 "srv6-top: agent does not answer: $NOBODY" srv6-top --once --socket "$NOBODY"
expect 3 "srv6-top: agent does not answer: $NOBODY" srv6-top --once --json --socket "$NOBODY"
expect 3 "no agent of the lab answers" srv6-drill plan link-cut leaf0-spine0 --prefix none-such
expect 3 "agent does not answer: /run/srv6/lab/no-such/agent.sock" srv6-ctl --host no-such status
SRV6_AGENT=$NOBODY expect 3 "$NOBODY" srv6-ctl status

expect 2 "did you mean \`links\`?" srv6-ctl lniks
expect 2 "no command given" srv6-ctl
expect 2 "give one" srv6-ctl --socket /x --host h0 status
expect 2 "not a fraction" srv6-ctl link set a-b --capacity 1.1
expect 2 "--capacity is missing" srv6-ctl link set a-b
expect 2 "unknown drill: nonsense" srv6-drill plan nonsense x
expect 2 "needs: LINK" srv6-drill plan link-cut
expect 2 "--for is missing" srv6-drill run link-cut leaf0-spine0
expect 2 "value not understood: 16m" srv6-drill run link-cut leaf0-spine0 --for 16m
expect 2 "value not understood: 10ms" srv6-drill run link-cut leaf0-spine0 --for 10ms
expect 0 "agent-kill" srv6-drill list
expect 2 "value not understood: 0" srv6-top -n 0

expect 0 "added to $WORK/fleet.keys" srv6-ctl keys generate --out "$WORK" --host h0
expect 1 "h0.secret" srv6-ctl keys generate --out "$WORK" --host h0
expect 0 "h1" srv6-ctl keys generate --out "$WORK" --host h1 --address tcp://10.0.0.1:7946
expect 2 "not a host's name" srv6-ctl keys generate --out "$WORK" --host ../h2
expect 1 "$WORK/none/deeper" srv6-ctl keys generate --out "$WORK/none/deeper" --host h2
expect 0 "tcp://10.0.0.1:7946" srv6-ctl keys list "$WORK/fleet.keys"
expect 0 600 stat -c %a "$WORK/h0.secret"
expect 0 "h0	$(awk '$1 == "h0" { print $2, $3 }' "$WORK/fleet.keys")" srv6-ctl keys line "$WORK/h0.secret" --host h0
expect 1 "No such file" srv6-ctl keys line "$WORK/none.secret" --host h0
expect 2 "--host is missing" srv6-ctl keys line "$WORK/h0.secret"
expect 0 "shared.secret" srv6-ctl keys generate --out "$WORK/one-for-all" --host '*'

# ---- rotation: both lines until the old one is retired
cp "$WORK/h1.secret" "$WORK/h1.old"
old=$(awk '$1 == "h1" { print $2 }' "$WORK/fleet.keys")
expect 1 "h1 is in no rotation" srv6-ctl keys retire --out "$WORK" --host h1
expect 1 "h7 has no key yet" srv6-ctl keys rotate --out "$WORK" --host h7
expect 0 "h1.secret.next" srv6-ctl keys rotate --out "$WORK" --host h1
expect 1 "in the middle of a rotation" srv6-ctl keys rotate --out "$WORK" --host h1
expect 0 600 stat -c %a "$WORK/h1.secret.next"
expect 0 2 grep -c '^h1	.*	tcp://10.0.0.1:7946$' "$WORK/fleet.keys"
expect 0 "" cmp "$WORK/h1.secret" "$WORK/h1.old"
printf '# a remark\n' >>"$WORK/fleet.keys"
expect 0 "1 removed" srv6-ctl keys retire --out "$WORK" --host h1
expect 1 "h1 is in no rotation" srv6-ctl keys retire --out "$WORK" --host h1
expect 0 1 grep -c '^h1	.*	tcp://10.0.0.1:7946$' "$WORK/fleet.keys"
expect 0 "a remark" grep -e remark "$WORK/fleet.keys"
expect 1 "" grep -F -q -e "$old" "$WORK/fleet.keys"
expect 1 "" cmp -s "$WORK/h1.secret" "$WORK/h1.old"
expect 0 "$(awk '$1 == "h1" { print $2 }' "$WORK/fleet.keys")" srv6-ctl keys line "$WORK/h1.secret" --host h1
expect 0 644 stat -c %a "$WORK/fleet.keys"

printf 'h9 too-short' >>"$WORK/fleet.keys"
expect 1 "fleet.keys:4" srv6-ctl keys list "$WORK/fleet.keys"

cat >"$WORK/fabric.yaml" <<'END'
version: 1
generation: 1
name: small
block: fcbb:bb00::/32
clos: {kind: leaf-spine, leaves: 2, spines: 2, hosts_per_leaf: 1, cables: 1, host_gbps: 400, fabric_gbps: 400}
overrides:
  - {link: leaf0-spine0, capacity: 0.5}
END
expect 0 "2 hosts" srv6-ctl fabric check "$WORK/fabric.yaml"
expect 0 "$WORK/fabric.yaml: leaf-spine" srv6-ctl fabric export "$WORK/fabric.yaml" --out "$WORK/all.yaml"
digest_of() { srv6-ctl fabric check "$1" --json | jq -r .digest; }
if [ -z "$(digest_of "$WORK/all.yaml")" ] ||
    [ "$(digest_of "$WORK/fabric.yaml")" != "$(digest_of "$WORK/all.yaml")" ]; then
    echo "FAILED: the exported fabric is not the same fabric"
    FAILURES=$((FAILURES + 1))
fi
sed 's/leaf0-spine0/leaf9-spine0/; s/fcbb:bb00/fcbb::zz/' "$WORK/fabric.yaml" >"$WORK/bad.yaml"
expect 1 "leaf9-spine0" srv6-ctl fabric check "$WORK/bad.yaml"
expect 1 "zz" srv6-ctl fabric check "$WORK/bad.yaml"
expect 1 "$WORK/none.yaml" srv6-ctl fabric check "$WORK/none.yaml"
printf 'h0,leaf0,400\nleaf0,spine0,400\nspine0,leaf1,400\nh1,leaf1,400\n' >"$WORK/links.csv"
expect 0 "kind: spine" srv6-ctl fabric import "$WORK/links.csv"
expect 0 "2 hosts" srv6-ctl fabric import "$WORK/links.csv" --out "$WORK/imported.yaml"
expect 0 "explicit" srv6-ctl fabric check "$WORK/imported.yaml"

printf 'version: 1\njob: x\nranks: all\ncollectives:\n  - {type: alltoal, bytes: 1MiB}\n  - {type: rong, bytes: 1MiB}\n' \
    >"$WORK/job.yaml"
expect 1 "alltoal" srv6-ctl job submit "$WORK/job.yaml"
expect 1 "rong" srv6-ctl job submit "$WORK/job.yaml"

echo "$FAILURES failures"
[ $FAILURES -eq 0 ]
