#!/usr/bin/env bash
# What holds for every command that `plimsoll --help` lists, and for those below it: --help works, wrong usage is one line and status 2, with
# --json too; each one's own work, plainly and with --json, has status 0 and prints JSON; and there is a page in docs/commands that tells of
# every option and of nothing else.
. "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
pages=$here/../../docs/commands

mapfile -t commands < <(listed Subcommands '')
[ "${#commands[@]}" -ge 12 ] || fail "only ${#commands[@]} commands are listed"
for command in "${commands[@]}"; do
  mapfile -t below < <(listed Subcommands "$command")
  [ "${#below[@]}" -eq 0 ] || commands+=("${below[@]/#/$command }")
done

# shellcheck disable=SC2086
refused() {
  run 2 $1
  failed_with ''
  [ ! -s out ] || fail "$1: printed $(head -c 200 out)"
  run 2 $1 --json
  [ "$(wc -l <err)" -eq 1 ] || fail "$1 --json: not one line: $(cat err)"
  jq -e '.error.status == 2 and .error.code == "usage" and (.error.message | length) > 0' err >/dev/null ||
    fail "$1 --json: $(cat err)"
}

refused fly
for command in "${commands[@]}"; do
  # shellcheck disable=SC2086
  run 0 $command --help
  [ -s out ] || fail "$command --help says nothing"
  for wrong in --no-such-option '--memory-budget 5parsecs' '--durability often' 'a b c d e'; do refused "$command $wrong"; done
done
[ "$(find . -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 0 ] || fail "wrong usage left something behind: $(ls)"

# The work of each command; what --json prints is an object, or objects one a line.
echo '{"key":"a","value":"1"}' >input
covered=()
works() {
  covered+=("$1" "$1 ${2:-}")
  run 0 "$@"
  answers_json "$@"
}
answers_json() {
  run 0 "$@" --json
  jq -es 'length > 0 and all(type == "object")' out >/dev/null || fail "$* --json: $(head -c 500 out)"
  [ "$(tail -c 1 out | od -An -c | tr -d ' ')" = '\n' ] || fail "$* --json: the last line has no end"
}
works load s input
works put s b 2
works get s b
works scan s
works count s
works tables s
works dump s
covered+=("backup")  # into a new file each time
run 0 backup s first
answers_json backup s second
works restore --check first
works shell s -c 'scan; .tables'
works stat s
works txn list s
works txn waits s
works check s
works compact s
works identify s
works config show s
echo 'memory_budget = "64MiB"' >options.toml
works config check options.toml
works page s 1
works log dump s
works del s --from b --to c
works completion bash
mkfifo held  # a load that waits for more input has the store open meanwhile, and a transaction
"$plimsoll" load s held >/dev/null 2>&1 &
exec 3>held
seq -f '{"key":"k%g","value":"v"}' 20000 >&3
for ((look = 0; look < 200; ++look)); do [ ! -S s/control ] || break; sleep 0.05; done
works top s --interval 10ms --count 1
covered+=("txn kill")
for ((look = 0; look < 200; ++look)); do id=$("$plimsoll" txn list s | cut -f 1); [ -z "$id" ] || break; sleep 0.05; done
answers_json txn kill s "$id"
exec 3>&-
wait
works bench read_uniform --keys 1000 --seconds 0.2 --threads 1 --memory-budget 32MiB
works stress --seconds 0.3 --keys 100 --threads 1 --memory-budget 32MiB
covered+=("stress hostile")  # by the test stress_hostile
for command in "${commands[@]}"; do  # grep reads to the end: a pipe that is closed early fails, too
  printf '%s\n' "${covered[@]}" | grep -xF -- "$command" >/dev/null || fail "no line of this test does the work of '$command'"
done

# The pages, and that what is missing or too much on one would be noticed.
"$here/command_pages.py" "$plimsoll" "$pages" || fail "the pages differ from the program"
cp -r "$pages" changed
cd changed
rm plimsoll-get.md
cp plimsoll-put.md plimsoll-fly.md
sed -i '/^- .--file/d' plimsoll-put.md
sed -i 's/^- .--reverse/- `--sideways`: no\n&/' plimsoll-scan.md
sed -i '/store options/d' plimsoll-count.md
sed -i 's/ \[KEY\]//' plimsoll-del.md
sed -i '/^## JSON/d' plimsoll-dump.md
sed -i '3s/Load/Push/' plimsoll-load.md
sed -i '/^- `--giant-budgets/d' plimsoll-stress.md
cd ..
! "$here/command_pages.py" "$plimsoll" changed 2>found || fail "nothing was noticed on changed pages"
for problem in 'no page plimsoll-get.md' "plimsoll-fly.md is no command's" 'plimsoll-put.md does not tell of --file' \
  'plimsoll-scan.md tells of --sideways' 'plimsoll-count.md does not tell of --io-backend' 'plimsoll-del.md: KEY is not in the synopsis' \
  'plimsoll-dump.md has no section JSON' 'plimsoll-load.md does not begin with' 'plimsoll-stress.md does not tell of --giant-budgets'; do
  grep -qF -- "$problem" found || fail "not noticed on changed pages: $problem"
done
