#!/usr/bin/env bash
# plimsoll shell: scripts through -c and standard input, with exactly what they print.
. "$(dirname "$0")/lib.sh"

# script STATUS TEXT [ARGUMENT...]: the statements on standard input print TEXT.
script() {
  local expected=$1 text=$2 status=0
  shift 2
  last='plimsoll shell'
  "$plimsoll" shell s "$@" >out 2>err || status=$?
  [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected: $(cat err)"
  out_is "$text"
}

# Each statement by itself.
run 0 shell s -c 'put alice 17; put bob 4; get alice; scan; count; count --from b'
out_is $'17\nalice\t17\nbob\t4\n2\n1'
script 0 $'4\nalice\t17\nbob\t4\nbob\nalice\nalice\n1' <<'END'
# a comment
get bob
scan
scan --reverse --keys-only ; scan --limit 1 --keys-only
del --from b
END
run 1 shell s -c 'insert alice 1'
failed_with "already_exists"
run 1 shell s -c 'update carol 1'
failed_with "not_found"
run 1 shell s -c 'get carol'
failed_with "no key 'carol' in the table 'default'"
run 1 shell s -c 'del carol'
failed_with "no key 'carol'"
run 0 shell s -c 'update alice 18; insert carol 3' -c 'del carol; get alice'
out_is 18

# Words: quotes, escapes, hexadecimal, what begins with hyphens.
script 0 $'a b\n;\n\\x00\\xff\nit\'s\ntab\\there\n--x' <<'END'
put 'key one' "a b"; get 'key one'
put k ';' ; get k
put x'00' x'00ff' ; get x'00'
put q 'it''s'; get q
put t "tab\there"; get t
put '--x' '--x'; get '--x'
del 'key one'; del k; del x'00'; del q; del t; del '--x'
END
run 1 shell s -c "get 'a"
failed_with 'a quote is not closed'
run 1 shell s -c "get 'a'b"
failed_with 'a blank is missing behind a closing quote'
run 1 shell s -c "get x'0'"
failed_with 'odd number'

# Transactions and savepoints.
script 0 $'1\n2\n1\n18\n2' <<'END'
begin
put alice 1
get alice
savepoint a
put alice 2; get alice
rollback a; get alice
release a
abort
get alice
begin; put alice 2; commit; get alice
END
run 1 shell s -c 'commit'
failed_with 'no transaction is open'
run 1 shell s -c 'begin; rollback x'
failed_with "no savepoint 'x' in transaction 1"
run 1 shell s -c 'begin --isolation strict'
failed_with "unknown isolation 'strict'"
run 1 shell s -c 'begin --read-only; put alice 3'
failed_with 'read_only'
run 0 shell s -c 'begin; put alice lost'
run 0 get s alice
out_is 2
run 0 shell s -c 'begin a; put k in-a --table t; .txn off; .txn a; abort'

# A conflict says where it is: the table, the key, which transaction committed first and when; and what can be done.
status=0
"$plimsoll" shell s >out 2>err <<'END' || status=$?
begin a
get alice
begin b
put alice from-b
commit
.txn a
put alice from-a
abort
get alice
END
[ "$status" -eq 1 ] || fail "conflict: status $status"
last='shell: conflict'
out_is $'2\nfrom-b'
failed_with 'plimsoll shell: standard input:7: conflict: '
grep -Eq "table default, key alice: transaction [0-9]+ 'b' committed a change at [0-9]+, after this one began" err || fail "$(cat err)"
failed_with '`abort`, then begin again'
run 1 shell s -c 'begin a; get alice; savepoint early; savepoint late; begin b; put alice 7; commit; .txn a; put alice 8'
failed_with '`rollback late`'
run 1 shell s -c 'begin a; put alice 5; begin b; put alice 6'
failed_with 'lock_timeout'
grep -Eq "key alice: transaction [0-9]+ waited for [0-9]+ 'a' until its lock deadline" err || fail "$(cat err)"
failed_with 'another transaction of this shell'
run 1 shell s -c 'begin a; put alice 5; .txn off; put alice 6'
failed_with 'another transaction of this shell'
run 0 put s alice 17
run 0 put s bob 'a,"b|c'

# Modes.
mode() { run 0 shell s -c ".mode $1; scan"; }
mode list
out_is $'alice\t17\nbob\ta,"b|c'
mode table
out_is $'key    value\nalice  17\nbob    a,"b|c'
mode csv
out_is $'alice,17\nbob,"a,""b|c"'
mode json
out_is $'[{"key":"alice","value":"17"},\n{"key":"bob","value":"a,\\"b|c"}]'
mode jsonl
out_is $'{"key":"alice","value":"17"}\n{"key":"bob","value":"a,\\"b|c"}'
mode line
out_is $'  key = alice\nvalue = 17\n\n  key = bob\nvalue = a,"b|c'
mode markdown
out_is $'| key | value |\n| --- | --- |\n| alice | 17 |\n| bob | a,"b\\|c |'
run 0 shell s -c '.mode csv; .headers on; scan --keys-only; .mode table; .headers off; scan --limit 1; .mode json; scan --to a; .mode'
out_is $'key\nalice\nbob\nalice  17\n[]\njson'
run 0 shell s --json -c 'scan --limit 1; .tables'
json 'type == "object"'
run 0 shell s --json -c 'count --to a'
json '. == {"table": "default", "records": 0}'
run 0 shell s --json -c 'del --from a --to a'
json '. == {"table": "default", "erased": 0}'
run 0 shell s --json -c '.output redirected; scan --limit 1'
[ ! -s out ] || fail "redirected, and on standard output: $(cat out)"
cp redirected out
json 'type == "object"'
printf '{"key":"k","value":"v"}\n' >import.jsonl
run 1 shell s --no-create -c '.import import.jsonl unheard-of'
run 0 shell s --json -c '.import import.jsonl imported'
json '. == {"records": 1}'
run 0 shell s --json -c 'explain put k v'
json '.statement == "put" and .transaction == null and .isolation == "snapshot" and .seconds >= 0 and .counters.records_written == 1'
run 0 shell s --json -c 'begin a; explain get alice'
json '.transaction == "a" and .counters.pages_read >= 1'
run 1 shell s --json -c 'get nobody'
jq -e '.error.code == "not_found" and .error.command == "shell"' err >/dev/null || fail "$(cat err)"
run 0 shell s -c "put b x'c3a4ff' --table enc; put t 'ä' --table enc; .use enc; scan; .show-as hex; scan; .show-as base64; scan; .show-as utf8; scan"
out_is $'b\tä\\xff\nt\tä\n62\tc3a4ff\n74\tc3a4\nYg==\tw6T/\ndA==\tw6Q=\nb\tä\\xff\nt\tä'

# Files: .import, .dump, .output, .read; errors of a file name its line.
printf 'k,v\n1,one\n2,two\n' >numbers.csv
printf 'scan --table numbers\nget nothing\nget 1 --table numbers\n' >statements
run 1 shell s -c '.import numbers.csv numbers; .read statements'
out_is $'2 records loaded\n1\tone\n2\ttwo\none'
failed_with "statements:2: no key 'nothing'"
run 0 shell s -c '.dump numbers --format csv; .dump numbers; .output file; scan --table numbers; .output; count'
out_is $'key_escaped,value_escaped\n1,one\n2,two\n{"table":"numbers","key":"1","value":"one"}\n{"table":"numbers","key":"2","value":"two"}\n2'
[ "$(cat file)" = $'1\tone\n2\ttwo' ] || fail ".output: $(cat file)"
run 0 shell s -c '.dump'
cp out all
run 0 dump s --all
cmp out all || fail ".dump differs from dump"
run 1 shell s -c 'begin; .import numbers.csv numbers'
failed_with '.import needs that no transaction is open'
run 1 shell s -c '.read statements --x'
failed_with "unknown option '--x'"
run 1 shell s -c '.output no/such/file'
failed_with 'cannot write the file'
printf '.read loop\n' >loop
run 1 shell s -c '.read loop'
failed_with 'too deeply'

# .bail, --bail, .exit, .echo, .timer, .help, .open, mistakes.
run 1 shell s -c 'get nobody; get alice'
out_is 17
run 1 shell s --bail -c 'get nobody; get alice'
out_is ''
failed_with 'nobody'
script 1 '17' <<'END'
get alice
.bail on
get nobody
get alice
END
failed_with 'standard input:3: no key'
run 7 shell s -c '.exit 7; get alice'
out_is ''
run 0 shell s -c '.quit; get nobody'
run 0 shell s -c '.echo on; get alice'
out_is $'get alice\n17'
run 0 shell s -c '.timer on; get alice'
[[ "$(cat out)" == *$'\ntime: '* ]] || fail ".timer: $(cat out)"
run 0 shell s -c '.help savepoint'
grep -q '^savepoint NAME  ' out && grep -q '^rollback NAME  ' out || fail ".help: $(cat out)"
run 1 shell s -c 'gett alice'
failed_with "unknown statement 'gett'"
failed_with "is 'get' meant?"
run 1 shell s -c '.tabels'
failed_with "is '.tables' meant?"
run 1 shell s -c 'get'
failed_with 'usage: get KEY [--table NAME]'
run 1 shell s -c '.mode pretty'
failed_with "'pretty' is none of list|table|csv"
run 1 shell s -c 'scan --limit x'
failed_with "'x' is no number"
run 1 shell s -c 'scan --table nowhere'
failed_with "cannot open the table 'nowhere'"
run 0 shell s -c '.stat'
grep -q '^memory: ' out || fail ".stat: $(cat out)"
run 0 shell s -c '.open other; put k other; .open s; get alice; .show'
grep -q '^store: s$' out || fail ".show: $(cat out)"
run 0 get other k
out_is other
run 3 shell nothing-here --no-create
failed_with 'nothing-here'

# explain says what a statement costs, and changes nothing.
run 0 shell s -c 'explain put alice 99; get alice; begin; put alice 20; explain del alice; get alice; abort'
grep -q '^statement: put$' out || fail "explain: $(cat out)"
grep -q '^transaction: of its own, isolation snapshot$' out || fail "explain: $(cat out)"
grep -Eq '^transaction: 1 \([0-9]+\), isolation snapshot$' out || fail "explain: $(cat out)"
grep -qx 17 out && [ "$(tail -n 1 out)" = 20 ] || fail "explain changed something: $(cat out)"
run 1 shell s -c 'explain put k v --table unheard-of'
run 0 shell s -c '.tables'
if grep -q unheard out; then fail "explain made a table"; fi
run 1 shell s -c 'explain commit'
failed_with 'what can be explained'
run 0 check s
