#!/usr/bin/env bash
# Exit statuses and error lines: wrong usage, what is not there, a store that somebody else has open.
. "$(dirname "$0")/lib.sh"

run 0 --help
grep -q '^Exit status: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 corruption found, 5 busy' out || fail "help: $(cat out)"
run 0 --version
grep -q '^plimsoll [0-9]' out || fail "version: $(cat out)"

run 2
failed_with 'no command'
run 2 frobnicate
failed_with 'frobnicate'
run 2 get
failed_with 'required'
run 2 get s k --frobnicate
failed_with 'frobnicate'
run 2 get s k surplus
failed_with 'surplus'
run 2 get s k --memory-budget 64M
failed_with "unknown unit 'M'"
run 2 get s k --io-backend tape
failed_with 'auto|uring|plain'
run 2 put s k v --durability often
failed_with 'durable|relaxed'
run 2 get --json
jq -e '.error.status == 2 and .error.code == "usage" and (.error.hint | length) > 0' err >/dev/null || fail "$(cat err)"
[ ! -e s ] || fail "wrong usage created a store"

# Commands that read create nothing.
for words in 'get s k' 'del s k' 'scan s' 'count s' 'dump s' 'stat s' 'check s' 'tables s' 'log dump s' 'put s k v --no-create'; do
  # shellcheck disable=SC2086
  run 3 $words
  failed_with "'s'"
  # shellcheck disable=SC2086
  run 3 $words --json
  jq -e '.error.status == 3 and .error.code == "not_found"' err >/dev/null || fail "$words: $(cat err)"
  [ ! -e s ] || fail "$words created a store"
done

run 0 put s k v
for words in 'get s k' 'scan s' 'count s' 'dump s' 'del s k'; do
  # shellcheck disable=SC2086
  run 3 $words --table missing
  failed_with "'missing'"
done
run 2 get s k --memory-budget 1MiB
failed_with '1MiB is outside 16MiB .. 1TiB'
run 1 get s k --memory-budget 16MiB --max-transactions 131072
failed_with 'the least that works'
for backend in auto plain; do
  run 0 get s k --io-backend "$backend"
  out_is v
done

# A load that waits for its input has the store open.
mkfifo pipe
"$plimsoll" load s pipe >loaded 2>load-err &
loader=$!
exec 3>pipe
holder=0
for ((i = 0; i < 200 && holder == 0; ++i)); do
  holder=$("$plimsoll" identify s --json | jq .holder_pid)
  [ "$holder" -ne 0 ] || sleep 0.05
done
[ "$holder" -eq "$loader" ] || fail "identify names process $holder, not $loader"
for words in 'get s k' 'put s k v' 'scan s' 'load s /dev/null'; do
  # shellcheck disable=SC2086
  run 5 $words
  failed_with "$loader"
done
run 0 stat s  # asks the loader
run 5 get s k --json
jq -e '.error.status == 5 and .error.code == "busy"' err >/dev/null || fail "$(cat err)"
echo '{"key":"late","value":"v"}' >&3
exec 3>&-
wait "$loader" || fail "load: $(cat load-err)"
run 0 get s late
out_is v
run 0 identify s --json
json '.holder_pid == 0'
