#!/usr/bin/env bash
# plimsoll shell on a terminal: history, completion, the prompt of an open transaction, Ctrl-C, Ctrl-D. The terminal is tmux's.
. "$(dirname "$0")/lib.sh"
command -v tmux >/dev/null || fail "tmux is not installed: make setup"

export PLIMSOLL_HISTORY=$PWD/history LC_ALL=C.UTF-8
run 0 put s alice 17
run 0 put s k v --table accounts

runs=0
socket=none
tm() { tmux -f /dev/null -L "$socket" "$@"; }
trap 'tm kill-server 2>/dev/null || true' EXIT

# What stands on the screen, without empty lines at its end.
screen() { tm capture-pane -p -t shell | sed -e :a -e '/^ *$/{$d;N;ba' -e '}'; }
# waits for a line of the screen that matches
sees() {
  for ((i = 0; i < 200; ++i)); do
    screen >seen 2>/dev/null || true
    if grep -Eq -- "$1" seen; then return; fi
    sleep 0.05
  done
  fail "'$1' does not come; on the screen is: $(cat seen)"
}
types() { tm send-keys -t shell "$@"; }

# A server of its own each time: one that was told to end may still take the next one's session, and end with it.
start() {
  socket=plimsoll-test-$$-$((++runs))
  tm new-session -d -s shell -x 100 -y 40 "'$plimsoll' shell s; echo status \$?; sleep 60"
}
start
sees '^plimsoll> $|^plimsoll>$'
types 'get alice' Enter
sees '^17$'

# Completion: a statement, a dot-command, a table; what is not unique is listed.
types 'cou' Tab
sees '^plimsoll> count ?$'
types Enter
sees '^1$'
types '.tab' Tab Enter
sees '^accounts '
types 'count --table acc' Tab
sees '^plimsoll> count --table accounts ?$'
types Enter
types 'sca' Tab 'x' C-u 's' Tab Tab
sees '^savepoint +scan'
types C-u
# Files, where a file is wanted: what follows a folder's slash is the next word's; a blank makes quotes.
mkdir folder
printf 'count --table accounts\n' >'folder/my statements'
types '.read fol' Tab
sees '^plimsoll> .read folder/$'
types 'm' Tab
sees "^plimsoll> .read 'folder/my statements' ?\$"
types Enter
sees '^1$'
types 'get alice; .use acc' Tab
sees '^plimsoll> get alice; .use accounts ?$'
types C-u '.show-as he' Tab
sees '^plimsoll> .show-as hex ?$'
types C-u

# An open transaction is in the prompt, until it ends; so is another table.
types 'begin' Enter
sees '^plimsoll \[transaction 1\]>'
types 'put alice 18' Enter 'abort' Enter '.use accounts' Enter
sees '^plimsoll accounts> ?$'
types 'get k' Enter
sees '^v$'
types '.use default' Enter

# Ctrl-C gives up the line and keeps the shell; the next statement works.
types 'put alice 99'
sees 'put alice 99$'
types C-c
sees 'put alice 99\^C$'
types 'get alice' Enter 'put last "ü"' Enter 'get last' Enter
sees '^ü$'
# The history: one line up is the last one.
types 'clear-marker' Enter
sees "unknown statement 'clear-marker'"
types Up Up C-a C-k 'get alice' Enter
types Up
sees '^plimsoll> get alice$'
types C-u C-d
sees '^status 0$'
tm kill-server
[ -s history ] || fail "no history was written"

# Another run has the history of the first.
start
sees '^plimsoll> ?$'
types Up Up Up
sees '^plimsoll> get last$|^plimsoll> clear-marker$'
types C-u 'begin' Enter
sees '\[transaction 1\]>'
types 'put alice lost' Enter C-d
sees '^what was not committed is aborted$'
sees '^status 0$'
tm kill-server
run 0 get s alice
out_is 17
