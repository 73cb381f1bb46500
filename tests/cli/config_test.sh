#!/usr/bin/env bash
# Where options come from, from weak to strong; that commands act by them; what is wrong with them, in one line.
. "$(dirname "$0")/lib.sh"
export HOME=$PWD/home
mkdir -p "$HOME/.config/plimsoll" xdg/plimsoll

# option NAME TEXT SOURCE [WHERE]: what the last `config show --json` said of it.
option() {
  json ".options[] | select(.name == \"$1\") | .text == \"$2\" and .source == \"$3\" and (.where // \"\") == \"${4:-}\""
}

# Nothing is configured: all built in, with values in plain units.
run 0 config show --json
json '.file == null and (.options | length) >= 20 and ([.options[].source] | unique) == ["default"]'
json '.options[] | select(.name == "memory_budget") | .value == 268435456 and .unit == "bytes"'
json '.options[] | select(.name == "lock_deadline") | .value == 10000 and .unit == "ms" and .text == "10s"'
json '.options[] | select(.name == "control_socket") | .value == true'
json '.options[] | select(.name == "io_backend") | .value == "auto"'

# Each is stronger than those before: the user's own file, XDG_CONFIG_HOME, PLIMSOLL_CONFIG, --config, a variable, a flag.
unset XDG_CONFIG_HOME
printf '# mine\nmemory_budget = "32MiB"\nretention = "1s"\n' >"$HOME/.config/plimsoll/plimsoll.toml"
run 0 config show --json
option memory_budget 32MiB file "$HOME/.config/plimsoll/plimsoll.toml:2"
option retention 1s file "$HOME/.config/plimsoll/plimsoll.toml:3"
json ".file == \"$HOME/.config/plimsoll/plimsoll.toml\""
export XDG_CONFIG_HOME=$PWD/xdg
printf 'memory_budget = 50331648\n' >xdg/plimsoll/plimsoll.toml
run 0 config show --json
option memory_budget 48MiB file "$PWD/xdg/plimsoll/plimsoll.toml:1"
option retention 0 default  # one file is read, not several
printf '\nmemory_budget = "64MiB"\n' >named.toml
PLIMSOLL_CONFIG=named.toml run 0 config show --json
option memory_budget 64MiB file named.toml:2
printf 'memory_budget = "80MiB"\n' >flag.toml
PLIMSOLL_CONFIG=named.toml run 0 config show --config flag.toml --json
option memory_budget 80MiB file flag.toml:1
PLIMSOLL_CONFIG=named.toml PLIMSOLL_MEMORY_BUDGET=96MiB run 0 config show --json
option memory_budget 96MiB environment PLIMSOLL_MEMORY_BUDGET
json '.file == "named.toml"'
PLIMSOLL_MEMORY_BUDGET=96MiB run 0 config show --config flag.toml --memory-budget 112MiB --no-control-socket --json
option memory_budget 112MiB flag --memory-budget
option control_socket false flag --no-control-socket
PLIMSOLL_MEMORY_BUDGET=96MiB run 0 config show --config flag.toml --memory-budget 112MiB
grep -qxP 'memory_budget\t112MiB\tflag --memory-budget' out || fail "config show: $(cat out)"
grep -qxP 'page_size\t8KiB\tdefault' out || fail "config show: $(cat out)"
PLIMSOLL_CONFIG='' PLIMSOLL_MEMORY_BUDGET='' run 0 config show --json
option memory_budget 256MiB default
json '.file == null'
export PLIMSOLL_CONFIG=

# Commands act by what is configured.
printf 'memory_budget = "32MiB"\npage_size = "4KiB"\nlog_segment_bytes = "1MiB"\n' >store.toml
run 0 put s k v --config store.toml
run 0 identify s --json
json '.page_size == 4096'
run 0 stat s --config store.toml --json
json '.memory_budget == 33554432'
PLIMSOLL_MEMORY_BUDGET=48MiB run 0 stat s --config store.toml --json
json '.memory_budget == 50331648'
PLIMSOLL_MEMORY_BUDGET=48MiB run 0 stat s --config store.toml --memory-budget 64MiB --json
json '.memory_budget == 67108864'
run 0 config show s --json
option page_size 4KiB store s
option log_segment_bytes 1MiB store s
run 0 config show s --page-size 16KiB
grep -qxP 'page_size\t4KiB\tstore s' out || fail "config show s: $(cat out)"
run 3 config show none
failed_with "'none'"
run 3 config show xdg
failed_with 'no Plimsoll store'
PLIMSOLL_CREATE_IF_MISSING=false run 3 put new k v
[ ! -e new ] || fail "create_if_missing = false created a store"
PLIMSOLL_CREATE_IF_MISSING=false run 0 put new k v --create
PLIMSOLL_ERROR_IF_EXISTS=true run 1 put new k w
failed_with 'already_exists'
PLIMSOLL_ERROR_IF_EXISTS=true run 0 get new k
out_is v
PLIMSOLL_CREATE_IF_MISSING=true run 3 get none k
[ ! -e none ] || fail "a command that reads created a store"
PLIMSOLL_BACKGROUND_THREADS=false run 0 put new k v
PLIMSOLL_TRANSACTION_WRITTEN_BYTES_MAX=10 run 1 put new k 123456789012345
PLIMSOLL_TRANSACTION_WRITTEN_BYTES_MAX=10 run 0 put new k 123456789012345 --transaction-written-bytes-max 0
PLIMSOLL_ISOLATION=read_committed run 0 shell new -c 'begin; .txn'
grep -q read_committed out || fail "the shell begins with another isolation: $(cat out)"
printf 'log_bytes_max = "1MiB"\n' >log.toml
run 2 get s k --config log.toml
failed_with 'log.toml:1: option log_bytes_max: 1MiB is less than 4 segments of 16MiB'
run 0 get s k --config log.toml --log-bytes-max 0
out_is v

# Each mistake is one line, with the place and the reason, and status 2.
wrong() {
  printf '%b' "$1" >wrong.toml
  run 2 config check wrong.toml
  failed_with "wrong.toml:$2"
  run 2 get s k --config wrong.toml
  failed_with "wrong.toml:$2"
}
wrong 'memory_buget = 1\n' "1: unknown option 'memory_buget'; did you mean 'memory_budget'?"
wrong '\nmemory_budget = true\n' '2: option memory_budget: true, where a string such as "64MiB", or a number of bytes is wanted'
wrong 'memory_budget = "1MiB"\n' '1: option memory_budget: 1MiB is outside 16MiB .. 1TiB'
wrong 'page_size = "4KiB"\npage_size = "8KiB"\n' '2: '
wrong 'page_size = \n' '1: '
wrong 'lock_deadline = 250\n' '1: option lock_deadline: the number 250'
wrong 'io_backend = "tape"\n' "1: option io_backend: 'tape' is none of auto|uring|plain"
wrong '[store]\n' '1: a table'
wrong 'events = 1\n' '1: option events: only a program can set it'
run 2 config check wrong.toml --json
jq -e '.error.status == 2 and .error.code == "invalid_argument" and .error.command == "config check"' err >/dev/null || fail "$(cat err)"
PLIMSOLL_LOCK_DEADLINE=250 run 2 get s k
failed_with "PLIMSOLL_LOCK_DEADLINE: option lock_deadline: '250' is no duration"
PLIMSOLL_LOCK_DEADLIN=250ms run 2 get s k
failed_with 'PLIMSOLL_LOCK_DEADLIN: the variable of no option; did you mean PLIMSOLL_LOCK_DEADLINE?'
PLIMSOLL_PORT_80_TCP=tcp://10.0.0.1:80 PLIMSOLL_LIBRARY=x PLIMSOLL_TEST_SEED=1 run 0 get s k
# Whatever the tree itself reads from the environment is known.
root=$(dirname "$0")/../..
read_somewhere=$(grep -rhoE "(getenv\(|environ\[|environ\.get\()['\"]PLIMSOLL_[A-Z_]+" "$root"/{src,cli,bench,tests,examples} | grep -o 'PLIMSOLL_.*' | sort -u)
[ "$(wc -w <<<"$read_somewhere")" -ge 4 ] || fail "too few variables are found: $read_somewhere"
for variable in $read_somewhere; do
  grep -qF "{\"$variable\"," "$root/src/config/environment.cpp" || fail "$variable is not in src/config/environment.cpp"
done
run 2 get s k --memory-budget 1MiB
failed_with '--memory-budget: option memory_budget: 1MiB is outside 16MiB .. 1TiB'
run 3 get s k --config none.toml
failed_with "cannot read 'none.toml'"
PLIMSOLL_CONFIG=none.toml run 3 get s k
failed_with "cannot read 'none.toml'"
run 1 get s k --config xdg
failed_with "cannot read 'xdg'"
run 3 config check none.toml
failed_with "cannot read 'none.toml'"

run 0 config check store.toml
out_is 'store.toml: 3 options'
run 0 config check store.toml --json
json '. == {"file":"store.toml","options":3}'
run 2 config
failed_with ''
