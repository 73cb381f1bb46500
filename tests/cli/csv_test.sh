#!/usr/bin/env bash
# CSV and TSV: what RFC 4180 allows, keys of one and of several columns, exact round trips of any bytes, and damaged input, which is
# refused whole with its line and the reason.
. "$(dirname "$0")/lib.sh"

# A byte order mark, quotes, doubled quotes, separators and line ends in fields, CR LF, no line end at the end.
printf '\xef\xbb\xbfid,name\r\n1,"a ""b"", c"\r\n2,"two\nlines"\n"3",\r\n4,ä' >people.csv
run 0 load s people.csv
out_is '4 records loaded'
run 0 scan s
out_is $'1\ta "b", c\n2\ttwo\\nlines\n3\t\n4\tä'

# The key's columns, by name and by number; the other columns.
printf 'first,last,year\nAda,Lovelace,1815\nAlan,Turing,1912\n' >born.csv
scanned() {  # scanned TEXT LOAD-ARGUMENT...
  local text=$1
  shift
  rm -rf k
  run 0 load k "$@"
  run 0 scan k
  out_is "$text"
}
scanned $'Ada\t{"last":"Lovelace","year":"1815"}\nAlan\t{"last":"Turing","year":"1912"}' born.csv
scanned $'Lovelace\t{"first":"Ada","year":"1815"}\nTuring\t{"first":"Alan","year":"1912"}' born.csv --key last
scanned $'1815\t{"first":"Ada","last":"Lovelace"}\n1912\t{"first":"Alan","last":"Turing"}' born.csv --key 3
scanned $'Lovelace\\x00Ada\t1815\nTuring\\x00Alan\t1912' born.csv --key last --key first
scanned $'Ada\\x00Lovelace\\x001815\t\nAlan\\x00Turing\\x001912\t' born.csv --key 1 --key 2 --key 3
tail -n +2 born.csv >plain
scanned $'Ada\t["Lovelace","1815"]\nAlan\t["Turing","1912"]' plain --format csv --no-header
scanned $'Lovelace\\x00Ada\t1815\nTuring\\x00Alan\t1912' plain --format csv --no-header --key 2 --key 1
tr ',' '\t' <born.csv >born.tsv
scanned $'Lovelace\\x00Ada\t1815\nTuring\\x00Alan\t1912' born.tsv --key last --key first
printf 'k,v\n00ff,ff00\n' >hex.csv
run 0 load hex hex.csv --hex
run 0 scan hex --hex
out_is $'00ff\tff00'

# Every byte, in each notation, one table and several.
for ((i = 0; i < 256; ++i)); do
  byte=$(printf '%02x' "$i")
  printf '{"key_base64":"%s","value_base64":"%s"}\n' "$(printf "\\x$byte" | base64)" "$(printf "\\x$byte\\xff\\x$byte\"," | base64)"
done | "$plimsoll" load all >out
printf '{"table":"t,\\"\\n\\u00e4","key":"k","value":""}\n{"table":"empty"}\n' | "$plimsoll" load all >out
run 0 dump all --all
cp out expected
for format in csv tsv; do
  for notation in '' --hex --base64; do
    # shellcheck disable=SC2086
    run 0 dump all --all --format $format $notation
    cp out dumped
    rm -rf copy
    run 0 load copy dumped --format $format
    run 0 dump copy --all
    cmp expected out || fail "$format $notation: the tables changed"
    # shellcheck disable=SC2086
    run 0 dump all --format $format $notation
    cp out "dumped.$format"
    rm -rf copy
    run 0 load copy "dumped.$format"
    run 0 count copy
    out_is 256
    run 0 dump copy
    cp out one
    run 0 dump all
    cmp one out || fail "$format $notation: the records changed"
  done
done
run 0 dump all --format csv --from a --to c
out_is $'key_escaped,value_escaped\na,"a\\xffa"","\nb,"b\\xffb"","'

# Other letters begin with the first bytes of a byte order mark.
printf 'k,\xef\xbd\x96\nA,1\n' >wide.csv
printf '\xef\xbc\xa1,\xef\xbd\x96\nA,1\n' >wide-first.csv
for wide in wide wide-first; do
  run 0 load $wide.plim $wide.csv --format csv
  run 0 get $wide.plim A
  out_is 1
done

# refused LINE REASON [LOAD-ARGUMENT...], of the text on standard input.
run 0 put kept k v --table before
refused() {
  local line=$1 reason=$2
  shift 2
  cat >damaged
  run 1 load kept damaged --format csv "$@"
  failed_with "damaged:$line: $reason; nothing is loaded"
  run 0 tables kept
  [ "$(cut -f1 out)" = before ] || fail "$reason: left $(cat out)"
}
refused 1 'the input is empty: no header' </dev/null
printf 'a,b\n1,2,3\n' | refused 2 '3 fields instead of 2, as in the first row'
printf 'a,b\n1,"2\n2"\n3\n' | refused 4 '1 fields instead of 2, as in the first row'
printf 'a,b\n1,2\n\n' | refused 3 'the line is empty'
printf 'a,b\n1,x"y\n' | refused 2 'a quote inside a field without quotes'
printf 'a,b\n1,"x"y\n' | refused 2 'text behind a closing quote'
printf 'a,b\n1,"x\n\n' | refused 2 'a quote is not closed'
printf 'a,b\n1,x\ry\n' | refused 2 'a carriage return without a line feed'
printf '\xef\xbba,b\n' | refused 1 'a damaged byte order mark'
printf '\xef\xbc\xa1"a",b\n' | refused 1 'a quote inside a field without quotes'
printf 'a,b\n1,x\n1,y\n' | refused 3 "the key '1' is there twice"
printf 'a,b\n1,x\n' | refused 1 "no column 'c' among the 2 of the first row" --key c
printf 'a,b\n1,x\n' | refused 1 "no column '3' among the 2 of the first row" --key 3
printf 'a,b\n1,x\n' | refused 1 "the key has column '1' twice" --key a --key 1
printf 'a,a,b\n1,2,3\n' | refused 1 "two columns are named 'a'"
printf 'a,b,c\n1,x,\xff\n' | refused 2 "column 'c' is not UTF-8: several value columns become JSON"
printf 'a,b,c\nx,a\0b,c\n' | refused 2 "column 'b' holds a zero byte, which separates the columns of a key" --key a --key b
printf 'key_escaped,value_escaped\na,\\q\n' | refused 2 "column 'value_escaped': character 1 is a backslash that begins no escape"
printf 'key_hex,value_hex\n61,6\n' | refused 2 "column 'value_hex': 1 hexadecimal digits, an odd number"
head -c 600000 /dev/zero | tr '\0' , | refused 1 'the row is longer than 16 MiB; `plimsoll put --file` stores a value of any size'
head -c 17000000 /dev/zero | tr '\0' x | refused 1 'the row is longer than 16 MiB; `plimsoll put --file` stores a value of any size'

# What does not fit a row is not dumped as one.
head -c 17000000 /dev/zero | "$plimsoll" put all big - --table big
run 1 dump all --table big --format csv
failed_with "the row of key 'big' would be longer than 16 MiB: dump as jsonl or db_dump"
run 2 load s people.csv --format xml
failed_with "'xml' is none of auto|jsonl|csv|tsv|db_dump"
run 2 dump s --format auto
failed_with "'auto' is none of jsonl|csv|tsv|db_dump"
# With --partial the rows of finished batches stay.
{ echo a,b; seq 1 25 | sed 's/.*/&,v/'; echo x; } >partial.csv
run 1 load p partial.csv --partial --batch 10
failed_with 'partial.csv:27: 1 fields'
failed_with '20 records before it are loaded'
