#!/usr/bin/env bash
# get, put, del: one value at a time, in every notation, from files and pipes.
. "$(dirname "$0")/lib.sh"

run 0 put s alice 17
out_is ''
run 0 get s alice
out_is 17
run 0 get s alice --raw
[ "$(wc -c <out)" -eq 2 ] || fail "--raw adds bytes"
run 0 get s alice --json
json '. == {"key":"alice","value":"17"}'
run 0 --json get s alice
json '.value == "17"'
run 0 put s alice 18 --json
json '.table == "default" and .value_bytes == 2'
run 0 get s alice
out_is 18

# An empty value, a hyphen in front, another table.
run 0 put s empty ''
run 0 get s empty
out_is ''
run 0 put s --durability relaxed -- -key -5
run 0 get s -- -key
out_is -5
run 0 put s alice other --table t
run 0 get s alice --table t
out_is other

# Bytes that are no text.
run 0 put s --hex 00ff ff00
run 0 get s --hex 00FF
out_is ff00
run 0 get s --base64 AP8=
out_is /wA=
run 0 get s --hex 00ff --json
json '. == {"key_base64":"AP8=","value_base64":"/wA="}'
run 2 get s --hex 0
failed_with 'odd number'
run 2 put s --base64 YQ== Y
failed_with 'base64'
run 2 get s --hex --base64 00
failed_with '--hex'

# Large values, in pieces; the budget is smaller than the value.
head -c 20000000 /dev/urandom >big
run 0 put large big --file big --memory-budget 16MiB
"$plimsoll" get large big --raw --memory-budget 16MiB | cmp - big || fail "a large value changed"
"$plimsoll" put large piped - <big
"$plimsoll" get large piped --raw | cmp - big || fail "a large value from a pipe changed"
printf 'a\n' | "$plimsoll" put s small -
run 0 get s --hex 736d616c6c
out_is 610a
run 3 put s key --file no-such-file
failed_with 'no-such-file'
run 2 put s key value --file big
failed_with '--file'
run 2 put s key
failed_with 'no value is given'

# Erasing: a key, an absent key, a range.
run 0 del s alice
run 3 get s alice
failed_with "no key 'alice'"
run 3 del s alice
failed_with "no key 'alice'"
for key in k1 k2 k3 k4; do run 0 put s "$key" v; done
run 0 del s --from k2 --to k4
out_is 2
run 0 del s --range k1 k2 --json
json '.erased == 1'
run 0 get s k4
out_is v
run 2 del s
failed_with 'either a key or a range'
run 2 del s k4 --from a
failed_with 'either a key or a range'
