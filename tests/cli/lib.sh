# Shared by the scripts of this folder, which are run in an empty folder with the program's path as their argument.
#   run STATUS ARGUMENT...   runs the program; its output is in the files out and err, its exit status must be STATUS
#   out_is TEXT              standard output was exactly TEXT and a line feed
#   json FILTER              jq's FILTER holds for standard output (for each line of it)
#   listed HEADING COMMAND   below that heading of the command's --help, the first word of each line
#   hold_open STORE OPTION...  another process has the store open: a load that waits for more input (file descriptor 3), process $loader
#   failed_with TEXT         standard error was one line that holds TEXT
set -euo pipefail
plimsoll=$1

fail() {
  echo "${BASH_SOURCE[-1]##*/}:${BASH_LINENO[-2]}: $*" >&2
  exit 1
}

run() {
  local expected=$1 status=0
  shift
  last="plimsoll $*"
  "$plimsoll" "$@" >out 2>err || status=$?
  [ "$status" -eq "$expected" ] || fail "$last: exit status $status, not $expected: $(head -c 2000 err)"
  [ "$status" -ne 0 ] || [ ! -s err ] || fail "$last: succeeded, but wrote to standard error: $(head -c 2000 err)"
}

out_is() { [ "$(cat out)" = "$1" ] || fail "$last: printed '$(head -c 2000 out)', not '$1'"; }

json() { jq -e "$1" out >/dev/null || fail "$last: $1 does not hold for $(head -c 2000 out)"; }

failed_with() {
  [ "$(wc -l <err)" -eq 1 ] || fail "$last: not one line on standard error: $(head -c 2000 err)"
  grep -qF -- "$1" err || fail "$last: '$1' is not in $(cat err)"
}

listed() {
  # shellcheck disable=SC2086
  "$plimsoll" $2 --help | awk -v heading="$1:" '/^[^ ]/ { listing = $0 == heading; next } listing && /^  [^ ]/ { print $1 }'
}

hold_open() {
  local store=$1 look
  shift
  mkfifo input
  "$plimsoll" load "$store" input "$@" >load.out 2>load.err &
  loader=$!
  exec 3>input
  trap 'exec 3>&-; wait "$loader" 2>/dev/null || true' EXIT
  printf '{"key":"k%05d","value":"v"}\n' {1..20000} >&3
  for ((look = 0; look < 200; ++look)); do
    [ ! -S "$store/control" ] || return 0
    sleep 0.05
  done
  fail "no control socket: $(ls "$store")"
}
