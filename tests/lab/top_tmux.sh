#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# srv6-top in a real terminal: keys, resize, an agent that is not there, NO_COLOR, and the terminal
# put back on quit, SIGTERM and a crash. usage: top_tmux.sh BIN-DIRECTORY
set -u
command -v tmux >/dev/null || {
    echo "skipped: tmux is not installed"
    exit 77
}
BIN=$1
WORK=$(mktemp -d) || exit 1
SERVER=srv6-top-test-$$
FAILURES=0
trap 'tmux -L $SERVER kill-server 2>/dev/null; rm -rf "$WORK"' EXIT

screen() { tmux -L "$SERVER" capture-pane -p "$@"; }
keys() { tmux -L "$SERVER" send-keys "$@"; }

# expect WHAT TEXT: the screen shows TEXT within three seconds.
expect() {
    local tries
    for ((tries = 0; tries < 30; tries++)); do
        [[ $(screen) == *"$2"* ]] && return
        sleep 0.1
    done
    echo "FAILED: $1: '$2' is not on the screen:"
    screen
    FAILURES=$((FAILURES + 1))
}

# To the srv6-top that runs in our pane, by its pid.
signal_top() { # SIGNAL
    kill "-$1" "$(pgrep -P "$(tmux -L "$SERVER" display-message -p '#{pane_pid}')" srv6-top)"
}

# In the shell again, with echo on and the cursor's terminal sane.
expect_shell() { # WHAT
    keys C-u "stty -a | grep -oE '(^| )-?(echo|icanon) ?' | tr -d ' \\n' | sed 's/^/modes:/'; echo" Enter
    expect "$1: the terminal is put back" "modes:icanonecho"
    keys "clear" Enter
}

start() { # OPTIONS
    keys "$BIN/srv6-top --socket $WORK/agent.sock -d 100ms $1" Enter
    expect "start" "AGENT GONE"
}

tmux -L "$SERVER" -f /dev/null new-session -d -x 90 -y 20 "env PS1='\$ ' bash --norc" || exit 1
sleep 0.5
start ''
expect 'the agent that is missing is named' "agent does not answer: $WORK/agent.sock"
expect 'the first view is links' '[1 links]'
keys 2
expect 'a number changes the view' '[2 flows]'
keys Tab
expect 'Tab goes to the next view' '[3 jobs]'
keys '?'
expect '? shows help' 'sort by the next column'
keys x
expect 'any key leaves help' '[3 jobs]'
keys / a b BSpace c
expect 'a filter is typed' '/ac_'
keys Enter
expect 'the filter is kept' 'filter: ac'
keys p
expect 'p pauses' 'PAUSED'
tmux -L "$SERVER" resize-window -x 50 -y 8
expect 'a smaller terminal still shows the last line' 'filter: ac'
[ "$(screen | wc -l)" -le 8 ] || FAILURES=$((FAILURES + 1))
tmux -L "$SERVER" resize-window -x 100 -y 24
expect 'a larger terminal' 'q quit'
keys q
expect_shell 'q'
start ''
signal_top TERM
expect_shell 'SIGTERM'
start ''
signal_top SEGV
expect_shell 'a crash'
keys "export NO_COLOR=1" Enter
start ''
if screen -e | grep -q $'\e\\[[0-9;]*3[0-7]m'; then
    echo "FAILED: colours in spite of NO_COLOR"
    FAILURES=$((FAILURES + 1))
fi
keys C-c
expect_shell 'Ctrl-C'
echo "$FAILURES failures"
[ $FAILURES -eq 0 ]
