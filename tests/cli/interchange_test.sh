#!/usr/bin/env bash
# load and dump: exact round trips with bytes of every kind; input that is damaged is refused whole, with its line and the reason.
. "$(dirname "$0")/lib.sh"

# Every single byte as a key and as a value, text and no text, an empty value, an empty table, a value of several parts.
for byte in $(seq 0 255); do printf '%02x\n' "$byte"; done >bytes
while read -r byte; do printf '{"key_base64":"%s","value_base64":"%s"}\n' \
  "$(printf "\\x$byte" | base64)" "$(printf "\\x$byte\\xff\\x$byte" | base64)"; done <bytes >input
printf '{"table":"t\\n\\u00e4","key":"gr\\u00fcn","value":""}\n{"table":"empty"}\n' >>input
run 0 load s input --json
json '.records == 257'
head -c 9000000 /dev/urandom >big
run 0 put s big --file big --table large
run 0 dump s --all
cp out first
jq -es 'all(has("table"))' first >/dev/null || fail "a line of --all names no table"
grep -q '"more":true' first || fail "a large value comes in parts"
[ "$(wc -L <first)" -le 16777216 ] || fail "a line is longer than 16 MiB"
run 0 load s2 first
run 0 dump s2 --all
cmp first out || fail "a second dump differs from the first"
"$plimsoll" get s2 big --table large --raw | cmp - big || fail "a large value changed"
run 0 count s2
out_is 256
run 0 count s2 --table empty
out_is 0
while read -r byte; do printf '%s\t%sff%s\n' "$byte" "$byte" "$byte"; done <bytes >expected
run 0 scan s2 --hex
cmp expected out || fail "bytes changed"

# The default table is dumped without its name, so that --table sends it where it should go; other tables keep theirs.
run 0 dump s --from A --to C
out_is $'{"key":"A","value_base64":"Qf9B"}\n{"key":"B","value_base64":"Qv9C"}'
"$plimsoll" dump s --hex --range 41 42 | "$plimsoll" load s3 --table copy >out
run 0 tables s3
[ "$(cut -f1 out)" = copy ] || fail "tables: $(cat out)"
run 0 dump s --table empty
out_is ''
run 2 dump s --all --table empty
failed_with '--all'
run 2 dump s --all --from a
failed_with '--all takes no range'

# refused TEXT LINE REASON: nothing of it is loaded, not even a table that it names.
refused() {
  printf '%s' "$1" >damaged
  run 1 load s4 damaged
  failed_with "damaged:$2: "
  failed_with "$3"
  failed_with 'nothing is loaded'
  run 0 tables s4
  [ "$(cut -f1 out)" = before ] || fail "$3: left $(cat out)"
}
run 0 put s4 k v --table before
good='{"key":"a","value":"b"}'
refused "$good"$'\n{"key":"a"}' 2 'a key without a value'
refused "$good"$'\n\n'"$good" 2 'the line is empty'
refused "$good"$'\n{"key":"a","val' 2 'not valid JSON'
refused "$good"$'\n[1]\n' 2 'not an object'
refused '{"key":"a","value":17}' 1 "member 'value' is a number"
refused '{"key":"a","value":"b","c":"d"}' 1 "unknown member 'c'"
refused '{"key":"a","key":"b","value":"c"}' 1 'twice'
refused '{"key_base64":"Y","value":"c"}' 1 'base64'
refused "$good"$'\n{"key":"","value":"c"}' 2 'key of 0 bytes'
refused "{\"key\":\"$(head -c 1025 /dev/zero | tr '\0' x)\",\"value\":\"c\"}" 1 '1024'
refused "$good"$'\n{"key":"b","value":"c","more":true}\n' 3 "ends within the value of key 'b'"
refused "$(head -c 1000000 /dev/zero | tr '\0' '[')" 1 'not an object'
refused $'\x7fELF\x02' 1 'not valid JSON'
refused $'{"key":"\xff","value":"c"}' 1 'UTF-8'
refused $'{"table":"new","key":"a","value":"b"}\n{"table":"newer"}\nx' 3 'not valid JSON'
refused '{"key":"a","value_base64":"Yg==","more":true}' 2 'ends within the value'
refused $'{"key":"a","value":"b","more":true}\n{"key":"c","value":"b"}' 2 'goes on here'
refused '{"key":"","value":"b"}' 1 'key'
head -c 17000000 /dev/zero | tr '\0' x >long
refused "$good"$'\n'"$(cat long)" 2 'longer than 16'
run 1 load s4 damaged --json
jq -e '.error.code == "malformed_input" and .error.status == 1 and .error.command == "load"' err >/dev/null || fail "$(cat err)"

# With --partial the lines of finished batches stay.
seq 1 25 | sed 's/.*/{"key":"&","value":"v"}/' >partial
echo x >>partial
run 1 load s5 partial --partial --batch 10
failed_with 'partial:26: '
failed_with '20 records before it are loaded'
run 0 count s5
out_is 20
run 2 load s5 partial --batch 10
failed_with '--partial'
run 2 load s5 partial --partial --batch 0
failed_with '--batch'
run 3 load s5 no-such-file
failed_with 'no-such-file'
[ ! -e s6 ] || fail "s6 is there"
run 3 load s6 no-such-file
[ ! -e s6 ] || fail "a missing input created a store"
run 3 load s6 input --no-create
[ ! -e s6 ] || fail "--no-create created a store"
"$plimsoll" load s7 - </dev/null >out
out_is '0 records loaded'
