#!/usr/bin/env bash
# backup and restore: of a store that nobody has open, of one that another process writes to, and what is refused.
. "$(dirname "$0")/lib.sh"

run 0 put s apple 1
run 0 put s pear 2 --table other
head -c 300000 /dev/urandom | base64 -w 0 >large
run 0 put s large --file large
run 0 dump s --all
cp out s.dump
same_as_s() {
  run 0 dump "$1" --all
  cmp -s out s.dump || fail "$1 holds something else"
}

# Nobody has it open.
run 0 backup s b1
grep -q '^backed up: 3 records of 2 tables, up to position [0-9]*$' out || fail "backup says $(cat out)"
run 0 restore --check b1
grep -q '^sound: 3 records of 2 tables, up to position [0-9]*$' out || fail "restore --check says $(cat out)"
run 0 backup s b2 --json
json '.records == 3 and .tables == 2 and .position > 0 and .follow_from > 0 and .follow_from <= .position and .timestamp > 0 and (keys | length) == 7'
json ".file_bytes == $(stat -c %s b2)"
run 0 restore --check b2 --json
json '.records == 3 and .tables == 2 and (keys | length) == 7'
run 0 restore b1 r1
grep -q '^restored: 3 records of 2 tables, up to position [0-9]*$' out || fail "restore says $(cat out)"
same_as_s r1
run 0 check r1
run 0 restore b2 r2 --json --memory-budget 16MiB
json '.records == 3'
same_as_s r2
[ "$(ls -d ./*.partial 2>/dev/null | wc -l)" -eq 0 ] || fail "something is left: $(ls)"

# What is refused, in one line; nothing is made, and nothing that is there is touched.
run 1 backup s b1
failed_with 'already_exists'
run 3 backup s no/folder/b
failed_with 'not_found'
run 3 backup no b3
failed_with 'no store at no'
run 2 backup s
failed_with 'FILE'
run 2 backup s ''
failed_with 'FILE is empty'
run 2 restore b1
failed_with 'STORE is missing'
run 2 restore --check b1 r3
failed_with '--check makes no store'
run 1 restore b1 r1
failed_with 'already_exists'
same_as_s r1
run 3 restore no r3
failed_with 'not_found'
run 2 restore s.dump r3
failed_with 'no backup of Plimsoll'
run 1 restore s r3 --json
[ "$(wc -l <err)" -eq 1 ] || fail "restore of a folder: $(cat err)"
head -c 65536 b1 >cut
run 4 restore cut r3
failed_with 'cut off'
printf X | dd of=b2 bs=1 seek=70000 conv=notrunc status=none
run 4 restore --check b2
failed_with 'block 1 of'
run 4 restore b2 r3 --json
jq -e '.error.code == "corruption" and .error.status == 4 and (.error.hint | contains("another backup"))' err >/dev/null || fail "$(cat err)"
printf '\001' | dd of=cut bs=1 seek=36 conv=notrunc status=none
run 1 restore --check cut
failed_with 'format version 1'
[ ! -e r3 ] && [ ! -e r3.partial ] && [ ! -e b3 ] && [ ! -e b3.partial ] || fail "something was made: $(ls)"

# Another process has it open: a load that goes on meanwhile.
hold_open s --partial --batch 1000
mkdir elsewhere
(cd elsewhere && "$plimsoll" backup ../s b4 --json >../out 2>../err) || fail "beside a running store: $(cat err)"
[ ! -s err ] || fail "beside a running store: $(cat err)"
json '.records >= 3 and .tables == 2 and (keys | length) == 7'
records=$(jq .records out)
run 0 restore elsewhere/b4 r4 --json
json ".records == $records"
run 0 get r4 apple
out_is 1
run 1 backup s elsewhere/b4
failed_with 'already_exists'
run 2 backup s $'b\xff'
failed_with 'UTF-8'
run 0 backup s b5
grep -q '^backed up: ' out || fail "a second one says $(cat out)"
# The bar, on a terminal; its file is complete all the same.
script -qec "'$plimsoll' backup s b6" /dev/null >screen </dev/null
grep -q 'backed up: ' screen || fail "on a terminal: $(cat screen)"
run 0 restore --check b6
exec 3>&-
wait "$loader" || fail "the load beside it failed: $(cat load.err)"
trap - EXIT
run 0 backup s b7 --json
json '.records == 20003'
