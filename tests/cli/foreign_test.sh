#!/usr/bin/env bash
# What is no store, or one of another version: every command says so in one line, and leaves it as it was.
. "$(dirname "$0")/lib.sh"

echo 'just a file' >file
mkdir folder
echo mine >folder/precious
run 0 put s k v
cp -r s newer
for block in 0 4096; do printf '\x63\0\0\0' | dd of=newer/superblock bs=1 seek=$((block + 8)) conv=notrunc status=none; done
cp -r s cut
truncate -s 100 cut/superblock
cp -r s noise
head -c 8192 /dev/urandom >noise/superblock
cp -r s short
truncate -s 5000 short/data

find file folder newer cut noise short -type f -exec sha256sum {} + | sort >before
# refuses STATUS PATH TEXT: each command that opens a store.
refuses() {
  local words
  for words in 'get @ k' 'put @ k v' 'del @ k' 'scan @' 'count @' 'tables @' 'dump @' 'stat @' 'check @' 'load @ /dev/null'; do
    # shellcheck disable=SC2086
    run "$1" ${words//@/$2}
    failed_with "'$2'"
    failed_with "$3"
    [ ! -s out ] || fail "$words: printed $(head -c 200 out)"
  done
}
refuses 1 file 'Not a directory'
refuses 2 folder 'no store'
refuses 1 newer 'version 99'
refuses 4 cut 'superblock'
refuses 4 noise 'superblock'
refuses 4 short 'data'
find file folder newer cut noise short -type f -exec sha256sum {} + | sort >after
diff before after || fail "a refused store was changed"

run 1 get newer k
failed_with 'hint'
for path in file folder newer cut noise; do
  run 3 identify "$path" --json
  json '.is_store == false and (.description | length) > 0'
done
run 3 identify newer --json
json '.format_version == 99'
run 0 get s k
out_is v

# Too large: a key, a table's name. Too small: the budget, which says the least that works, and that works.
long=$(head -c 1025 /dev/zero | tr '\0' x)
run 2 put s "$long" v
failed_with '1025'
failed_with '1024'
run 0 put s "${long:1}" v
run 3 get s "$long"
run 2 put s k v --table "${long:0:256}"
failed_with '255'
run 1 get s k --memory-budget 16MiB --max-transactions 131072
failed_with 'memory_budget'
least=$(grep -o '[0-9]\{8,\}' err | sort -n | tail -n 1)
run 1 get s k --memory-budget $((least - 1)) --max-transactions 131072
failed_with "$least"
run 0 get s k --memory-budget "$least" --max-transactions 131072
out_is v
run 2 get s k --memory-budget 9000000GiB
failed_with 'memory_budget'

# A dump of a damaged store fails at the damage with status 4, after what comes before it; ranges beyond it can still be dumped.
seq 100001 140000 | sed 's/.*/{"key":"&","value":"a value of some forty bytes, to fill pages"}/' >many
run 0 load s many --table many
printf 'damage!!' | dd of=s/data bs=1 seek=$((100 * 8192 + 4000)) conv=notrunc status=none
run 4 check s
grep -q "page 100, table 'many'" out || fail "check does not name page and table: $(cat out)"
run 4 dump s --table many
failed_with 'page 100'
first=$(wc -l <out)
[ "$first" -gt 0 ] || fail "nothing was dumped before the damage"
for ((from = 100001 + first; from < 140000; from += 50)); do
  if "$plimsoll" dump s --table many --from "$from" >out 2>err; then break; fi
done
[ $((first + $(wc -l <out))) -gt 39500 ] || fail "too much is lost: $first before the damage, $(wc -l <out) behind it"
run 0 dump s
