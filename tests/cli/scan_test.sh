#!/usr/bin/env bash
# scan, count, tables: ranges, directions, limits, what binary records look like.
. "$(dirname "$0")/lib.sh"

printf '{"key":"%s","value":"v%s"}\n' a 1 b 2 c 3 d 4 | "$plimsoll" load s --json >out
json '.records == 4'
run 0 scan s
out_is $'a\tv1\nb\tv2\nc\tv3\nd\tv4'
run 0 scan s --reverse --limit 2
out_is $'d\tv4\nc\tv3'
run 0 scan s --from b --to d --keys-only
out_is $'b\nc'
run 0 scan s --range b d --reverse --keys-only
out_is $'c\nb'
run 0 scan s --from c --json
json '.key == "c" or .key == "d"'
[ "$(wc -l <out)" -eq 2 ] || fail "a line for each record"
run 0 scan s --keys-only --json --limit 1
json '. == {"key":"a"}'
run 0 scan s --limit 0
out_is ''
run 0 scan s --from d --to d
out_is ''
run 2 scan s --from d --to a
failed_with 'the range ends before it begins'
run 2 scan s --range a b --from a
failed_with '--range'
run 2 scan s --limit x
failed_with '--limit'

run 0 count s
out_is 4
run 0 count s --from b
out_is 3
run 0 count s --to b --json
json '.table == "default" and .records == 1'

run 0 put s --hex 0a5cff 0009 --table binary
run 0 scan s --table binary
out_is '\n\\\xff'$'\t''\x00\t'
run 0 scan s --table binary --hex
out_is $'0a5cff\t0009'
run 0 scan s --table binary --base64
out_is $'Clz/\tAAk='

run 0 tables s
[ "$(cut -f1 out | sort | tr '\n' ' ')" = 'binary default ' ] || fail "tables: $(cat out)"
run 0 tables s --json
json '[.tables[].name] | sort == ["binary","default"]'
json '.tables | all(.tree > 0)'

# A reader that goes away is no error that anybody wants to read about.
seq 1 50000 | sed 's/.*/{"key":"&","value":"some value that fills a pipe"}/' | "$plimsoll" load s --table many >out
out_is '50000 records loaded'
status=0
"$plimsoll" scan s --table many 2>err | head -n 1 >out || true
[ ! -s err ] || fail "scan | head: $(cat err)"
if [ -e /dev/full ]; then
  status=0
  "$plimsoll" scan s --table many >/dev/full 2>err || status=$?
  [ "$status" -eq 1 ] || fail "a full disk: exit status $status"
  last=scan
  failed_with 'standard output'
fi
