#!/usr/bin/env bash
# The text format of db_dump: round trips through the tools of Berkeley DB and LMDB, and damaged dumps, which are refused whole with
# their line and the reason.
. "$(dirname "$0")/lib.sh"
for tool in db5.3_load db5.3_dump mdb_load mdb_dump; do
  command -v "$tool" >/dev/null || fail "$tool is not installed: make setup"
done

# Records of text and of every byte, values beyond a page, an empty value; several tables.
for ((i = 0; i < 256; ++i)); do
  key=$(printf '%02x' "$i")
  printf ' %s\n %sff0a5c%s\n' "6b$key" "$key" "$key"
done >records
printf ' 7a\n %s\n 7a7a\n \n' "$(head -c 100000 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" >>records
section() { printf 'VERSION=3\nformat=bytevalue\n%stype=btree\nHEADER=END\n' "$1"; cat "${2:-records}"; echo DATA=END; }
: >none
section '' >one
{ section $'database=accounts\n'; section $'database=empty\n' none; section $'database=zoo\n'; } >several
# The records of a dump, section by section, without the rest of the headers.
bodies() { grep -E '^( |database=|DATA=END)' "$1"; }

run 0 load one.plim one
out_is '258 records loaded'
run 0 dump one.plim --format db_dump
cmp one out || fail "the dump differs"
cp out ours
run 0 dump one.plim --format db_dump -p
cp out ours-print
grep -qx ' k\\5c' ours-print && grep -qx ' A\\ff\\0a\\5cA' ours-print || fail "printable: $(cat ours-print)"
if LC_ALL=C grep -nq '[^ -~]' ours-print; then fail "the printable form is not printable"; fi
run 2 dump one.plim --print
failed_with '--print is a form of db_dump'
run 0 load several.plim several
out_is '516 records loaded'
run 0 dump several.plim --all --format db_dump
cmp several out || fail "the dump of several tables differs"
cp out ours-several

# A table whose name is empty.
run 0 put nameless.plim k v --table ''
run 0 dump nameless.plim --all --format db_dump
cp out nameless
run 0 load nameless-copy.plim nameless
run 0 dump nameless-copy.plim --all --format db_dump
cmp nameless out || fail "the table without a name changed"

# Berkeley DB.
db5.3_load -f ours one.db
db5.3_dump one.db >theirs
diff <(bodies ours) <(bodies theirs) || fail "db_load changed the records"
db5.3_dump -p one.db >theirs-print
for dump in theirs theirs-print; do
  run 0 load "$dump.plim" "$dump" --format db_dump
  run 0 dump "$dump.plim" --format db_dump
  cmp ours out || fail "$dump: the records changed"
done
# The printable form is the same to them, and theirs is to us.
run 0 load print.plim ours-print
run 0 dump print.plim --format db_dump
cmp ours out || fail "the printable form changed the records"
db5.3_load -f ours-print print.db
db5.3_dump print.db >theirs
diff <(bodies ours) <(bodies theirs) || fail "db_load changed the printable records"
db5.3_load -f ours-several several.db
db5.3_dump several.db >theirs-several
diff <(bodies ours-several) <(bodies theirs-several) || fail "db_load changed the tables"
run 0 load bdb.plim theirs-several
run 0 dump bdb.plim --all --format db_dump
cmp ours-several out || fail "the tables changed"
run 0 dump several.plim --all --format db_dump --print
cp out ours-several-print
db5.3_load -f ours-several-print several-print.db
db5.3_dump -p several-print.db >theirs-several
run 0 load bdb-print.plim theirs-several
run 0 dump bdb-print.plim --all --format db_dump
cmp ours-several out || fail "the tables changed in the printable form"

# LMDB.
mkdir one.mdb several.mdb
mdb_load -f ours one.mdb
mdb_dump one.mdb >theirs
diff <(bodies ours) <(bodies theirs) || fail "mdb_load changed the records"
run 0 load lmdb.plim theirs
run 0 dump lmdb.plim --format db_dump
cmp ours out || fail "the records changed by LMDB"
mdb_load -f ours-several several.mdb
mdb_dump -a several.mdb >theirs-several
run 0 load lmdb2.plim theirs-several
run 0 dump lmdb2.plim --all --format db_dump
cmp ours-several out || fail "the tables changed by LMDB"
mkdir print.mdb plain.mdb
mdb_load -f ours-several-print print.mdb
mdb_dump -a print.mdb >theirs-several
diff <(bodies ours-several) <(bodies theirs-several) || fail "mdb_load changed the printable tables"
# What mdb_dump -p writes has one meaning only without backslashes.
{ printf 'VERSION=3\nformat=bytevalue\ntype=btree\nHEADER=END\n'; sed 's/5c/5d/g; s/^ 6b5d$/ 6b5d5d/' records | paste - - | sort -u | tr '\t' '\n'; echo DATA=END; } >plain
mdb_load -f plain plain.mdb
mdb_dump plain.mdb >expected
mdb_dump -p plain.mdb >theirs-print
run 0 load plain.plim theirs-print
run 0 dump plain.plim --format db_dump
diff <(bodies expected) <(bodies out) || fail "mdb_dump -p was misread"
mdb_dump -p -s accounts print.mdb >theirs-print
run 1 load twofold.plim theirs-print
failed_with 'do not double backslashes'

# A table's name that is not plain ASCII, as db_dump writes it.
run 0 put names.plim k v --table $'t\\\xc3\xa4'
run 0 dump names.plim --all --format db_dump
grep -qxF 'database=t\\\c3\a4' out || fail "name: $(cat out)"
cp out named
run 0 load names2.plim named
run 0 get names2.plim k --table $'t\\\xc3\xa4'
out_is v

# refused LINE REASON, of the text on standard input: nothing of it is loaded, not even a table that it names.
run 0 put s k v --table before
refused() {
  cat >damaged
  run 1 load s damaged --format db_dump
  failed_with "damaged:$1: $2; nothing is loaded"
  run 0 tables s
  [ "$(cut -f1 out)" = before ] || fail "$2: left $(cat out)"
}
head=$'VERSION=3\nformat=bytevalue\ndatabase=new\ntype=btree\nHEADER=END\n'
print=${head/bytevalue/print}
refused 1 'the dump is empty: no line VERSION=3' </dev/null
refused 1 "'{}' instead of VERSION=3" <<<'{}'
refused 1 "unsupported 'VERSION=2': only VERSION=3 is read" <<<'VERSION=2'
printf 'VERSION=3\ntype=btree' | refused 2 'the dump is cut off: it ends within the header'
printf 'VERSION=3\nfrobnicate=1\n' | refused 2 "unknown header line 'frobnicate=1'"
printf 'VERSION=3\nfrobnicate\n' | refused 2 "header line without '=': 'frobnicate'"
printf 'VERSION=3\ntype=btree\ntype=btree\n' | refused 3 "header line 'type' is there twice"
printf 'VERSION=3\ntype=hash\n' | refused 2 "unsupported 'type=hash': only type=btree can be loaded"
printf 'VERSION=3\nduplicates=1\n' | refused 2 "unsupported 'duplicates=1': only duplicates=0 can be loaded"
printf 'VERSION=3\nintegerkey=1\n' | refused 2 "unsupported 'integerkey=1': only integerkey=0 can be loaded"
printf 'VERSION=3\nformat=base64\n' | refused 2 "unknown format 'base64'"
printf 'VERSION=3\nHEADER=END\n' | refused 2 'the header has no line type=btree'
printf 'VERSION=3\r\ntype=btree\r\n' | refused 1 'the line ends with CR LF: a dump has LF alone'
printf '%s 61\n 62\n' "$head" | refused 8 'the dump is cut off: it ends without DATA=END'
printf '%s 61\n 62' "$head" | refused 7 'the dump is cut off: it ends within a record'
printf '%s 61\n' "$head" | refused 7 'the dump is cut off: it ends after a key'
printf '%s 61\nDATA=END\n' "$head" | refused 7 'a key without a value'
printf '%s 61\n 623\nDATA=END\n' "$head" | refused 7 'an odd number of hexadecimal digits'
printf '%s 61\n 6g\nDATA=END\n' "$head" | refused 7 "'g' is no hexadecimal digit"
printf '%s 61\r\n 62\nDATA=END\n' "$head" | refused 6 'the line ends with CR LF: a dump has LF alone'
printf '%s61\n 62\nDATA=END\n' "$head" | refused 6 "'61' is neither a record, which begins with a space, nor DATA=END"
printf '%s 61\n 62\nDATA=ENDE\n' "$head" | refused 8 "'DATA=ENDE' is neither a record, which begins with a space, nor DATA=END"
printf '%s 61\n 62\nDATA=END\n\n' "$head" | refused 9 "'' instead of VERSION=3"
printf '%s 61\n 62\n 61\n 63\nDATA=END\n' "$head" | refused 8 "the key 'a' is there twice"
printf '%s \n 62\nDATA=END\n' "$head" | refused 6 'invalid_argument: key of 0 bytes: 1 to 1024 are allowed (the call'"'s arguments are wrong)"
printf '%s a\\zz\n b\nDATA=END\n' "$print" | refused 6 'a backslash without two hexadecimal digits'
printf '%s a\\\n b\nDATA=END\n' "$print" | refused 6 'a backslash without two hexadecimal digits'
printf '%s a\tb\n b\nDATA=END\n' "$print" | refused 6 'control character \x09 without an escape'
printf '%s a\\62\n b\nDATA=END\n' "${print/database/mapsize=4096$'\n'database}" |
  refused 7 "'\\62' is the escape of a printable character; old versions of mdb_dump -p do not double backslashes: dump again without -p"

# What the loaders of others get wrong: two doubled backslashes in a line, upper-case digits.
printf '%s p\\\\q\\\\r\n \\C3\\a9\nDATA=END\n' "$print" >good
run 0 load s good
run 0 scan s --table new --hex
out_is $'705c715c72\tc3a9'
# A key that the store has is replaced, one that the dump has twice is not.
printf '%s p\\\\q\\\\r\n new\nDATA=END\n' "$print" >again
run 0 load s again
run 0 get s --table new 'p\q\r'
out_is new
printf '%s p\\\\q\\\\r\n 1\n p\\\\q\\\\r\n 2\nDATA=END\n' "$print" >twice
run 1 load s twice
failed_with 'twice:8: the key '
run 0 get s --table new 'p\q\r'
out_is new
