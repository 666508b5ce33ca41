#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The guest's init (tests/roce/vm): takes orders from the second serial line, runs each in the background, and says when one
# has ended.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
cd /run/x || exit
ip link set lo up
exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo

obey() { # NAME
    bash "./$1.sh" >"$1.out" 2>&1
    echo $? >"$1.rc.new"
    mv "$1.rc.new" "$1.rc"
}

echo "up after $(cut -d' ' -f1 /proc/uptime) s" | tee up.new
mv up.new up
while read -r name <&3; do
    [ "$name" != end ] || break
    obey "$name" &
done
echo o >/proc/sysrq-trigger
read -r -t 10 <&3
