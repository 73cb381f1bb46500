#!/usr/bin/env bash
# stat, check, identify, log dump: what they show of a sound store and of a damaged one.
. "$(dirname "$0")/lib.sh"

seq 10001 30000 | sed 's/.*/{"key":"&","value":"a value of some forty bytes, to fill pages"}/' >input
run 0 load s input
out_is '20000 records loaded'

run 0 stat s
grep -q '^memory: ' out || fail "no memory line"
grep -q '^pages_read' out || fail "no counters"
grep -q '^recovery: not needed' out || fail "no recovery line"
run 0 stat s --json --memory-budget 32MiB
json '.memory_budget == 33554432 and .memory_used <= .memory_budget'
json '(.accounts | length) > 0 and (.counters | length) > 40 and (.gauges | length) > 10'
json '.accounts | all(.used_bytes <= .peak_bytes)'
json '.recovery.was_clean and (.events | type) == "array"'

run 0 check s
grep -q '^sound: .* 20000 records' out || fail "check: $(cat out)"
run 0 check s --json
json '.sound and .problems == [] and .records == 20000 and .pages > 0 and .tables >= 1'

run 0 identify s
[ -s out ] || fail "identify says nothing"
run 0 identify s --json
json '.is_store and .clean and .page_size == 8192 and .holder_pid == 0 and .data_bytes > 0 and .salt != 0'
mkdir folder
run 3 identify folder --json
json '.is_store == false and (.description | length) > 0'
run 3 identify input
[ -s out ] || fail "identify says nothing of a file"
run 3 identify nothing-here
failed_with 'nothing-here'

run 0 log dump s
tail -n 1 out | grep -q ' records from ' || fail "log dump: $(tail -n 1 out)"
run 0 log dump s --json
tail -n 1 out >last && jq -e '.end >= .begin and (.end_reason | length) > 0' last >/dev/null || fail "report: $(cat last)"
head -n -1 out | jq -es 'all(.lsn > 0 and .bytes > 0 and (.kind | length) > 0)' >/dev/null || fail "records: $(head -n 3 out)"
run 0 log dump s --limit 1 --json
[ "$(wc -l <out)" -le 2 ] || fail "--limit does not limit"
run 2 log
failed_with 'subcommand'
run 3 log dump nothing-here
failed_with 'nothing-here'

# A log whose bytes are noise is shown up to the noise; looking at it changes nothing.
cp -r s noisy
for file in noisy/log/*; do head -c "$(stat -c %s "$file")" /dev/urandom >"$file"; done
find noisy -type f -exec sha256sum {} + >before
run 0 log dump noisy --json
json '.end_reason | length > 0'
find noisy -type f -exec sha256sum {} + >after
cmp before after || fail "log dump changed the store"

# Noise in every page of the data file: check finds it, and nothing that is read is wrong.
cp -r s damaged
pages=$(($(stat -c %s damaged/data) / 8192))
for ((page = 0; page < pages; ++page)); do
  printf '\xa5\x5a\xa5\x5a\xa5\x5a\xa5\x5a' | dd of=damaged/data bs=1 seek=$((page * 8192 + 4096)) conv=notrunc status=none
done
run 4 check damaged
failed_with 'damaged'
run 4 check damaged --json
jq -e '.error.code == "corruption" and .error.status == 4' err >/dev/null || fail "$(cat err)"
run 4 scan damaged --json
failed_with 'corruption'

# page: every page of a sound store is explained; together the leaves hold what was loaded.
run 0 page s 0
tail -n 1 out | grep -q '^page 0 of data: good, space map' || fail "page 0: $(tail -n 1 out)"
: >all
pages=$(($(stat -c %s s/data) / 8192))
for ((page = 1; page < pages; ++page)); do
  run 0 page s "$page" --json
  tail -n 1 out >>descriptions
  jq -c 'select(.summary // "" | startswith("stamp")) | .key' out >>all
done
[ "$(grep -c '"100\|"1[0-9]*\|"2[0-9]*\|"30000"' all)" -ge 20000 ] || fail "$(wc -l <all) records are on the pages"
jq -es 'map(select(.kind == "inner node")) | length > 0 and all(.items > 1 and .level > 0 and .problems == [])' descriptions >/dev/null ||
  fail "no sound inner node"
jq -es 'all(.state == "good" or .state == "never written")' descriptions >/dev/null || fail "states: $(jq -r .state descriptions | sort | uniq -c)"
run 3 page s 1000000
failed_with "has $pages pages"
run 3 page s 0 --file log
failed_with 'has no pages'
run 3 page s 0 --file versions.9999
run 2 page s minus
first_damaged=$(for ((page = 1; page < pages; ++page)); do
  "$plimsoll" page damaged "$page" >/dev/null 2>&1 || { echo "$page"; break; }
done)
run 4 page damaged "$first_damaged"
grep -q "page $first_damaged of data: damaged" out || fail "page: $(cat out)"
failed_with 'is not sound'
