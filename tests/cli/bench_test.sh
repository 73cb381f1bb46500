#!/usr/bin/env bash
# `plimsoll bench` and `plimsoll stress`: figures that are none, options that have no meaning, and what is left of a run that was
# interrupted or killed.
. "$(dirname "$0")/lib.sh"

small=(--keys 1000 --memory-budget 32MiB)
for wrong in '--seconds nan' '--seconds inf' '--keys 010' '--seed -1' '--threads 0x2' '--keys 1e3' '--seconds .5' '--seconds 1.' \
  '--threads 0' '--value-bytes 15' '--isolation serializable'; do
  # shellcheck disable=SC2086
  run 2 bench read_uniform $wrong
  failed_with "${wrong%% *}"
done
run 2 bench backup --scaling "${small[@]}"
failed_with 'slices'
run 2 bench read_uniform --keep
failed_with '--path'
for wrong in '--threads 3' '--keys 15' '--keys 4294967296' '--memory-budget 31MiB' '--page-size 8KiB' '--reopen-every 1' '--durability durable'; do
  # shellcheck disable=SC2086
  run 2 stress hostile $wrong
done
run 2 stress --gets 2
failed_with '--gets'

# A store that is kept serves again, one of another shape does not stand in for it.
kept=(bench read_uniform "${small[@]}" --seconds 0.1 --path kept --keep --json)
run 0 "${kept[@]}"
first=$(stat -c %i kept/*.loaded)
run 0 "${kept[@]}"
[ "$(stat -c %i kept/*.loaded)" = "$first" ] || fail 'a kept store was loaded again'
run 0 "${kept[@]}" --page-size 4KiB
[ "$(find kept -name '*.loaded' | wc -l)" = 2 ] || fail "stores of two page sizes: $(ls kept)"

set -m  # so that a run in the background hears SIGINT
left() { find . -maxdepth 1 -name 'plimsoll-bench-*' | wc -l; }
awaits() {
  local look
  for ((look = 0; look < 600; ++look)); do
    [ "$(left)" != "$1" ] || return 0
    sleep 0.05
  done
  fail "$2: $(left) folders"
}
for signal in INT TERM KILL; do
  TMPDIR=. "$plimsoll" bench read_uniform "${small[@]}" --seconds 1000 >/dev/null 2>&1 &
  runner=$!
  awaits 1 "a run makes its folder"
  for ((look = 0; look < 600; ++look)); do  # what is in it comes after who removes it
    [ -z "$(find . -path './plimsoll-bench-*/*' -print -quit 2>/dev/null)" ] || break
    sleep 0.05
  done
  kill -s "$signal" "$runner"
  wait "$runner" 2>/dev/null && fail "the run ended well in spite of $signal"
  awaits 0 "after $signal"
done
echo "interrupted 3"
