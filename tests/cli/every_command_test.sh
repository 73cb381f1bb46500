#!/usr/bin/env bash
# What holds for every command that `plimsoll --help` lists: --help works, wrong usage is one line and status 2, with --json too;
# and each one's own work, plainly and with --json, has status 0 and prints JSON.
. "$(dirname "$0")/lib.sh"

"$plimsoll" --help >help
mapfile -t commands < <(awk '/^[A-Za-z ]*[Cc]ommands:/ { listing = 1; next }
                             /^[^ ]/ { listing = 0 }
                             listing && /^  [a-z]/ { print $1 }' help)
[ "${#commands[@]}" -ge 12 ] || fail "only ${#commands[@]} commands are listed"

for command in "${commands[@]}"; do
  run 0 "$command" --help
  [ -s out ] || fail "$command --help says nothing"
  for wrong in --no-such-option '--memory-budget 5parsecs' '--durability often'; do
    # shellcheck disable=SC2086
    run 2 "$command" $wrong
    failed_with ''
    [ ! -s out ] || fail "$command $wrong: printed $(head -c 200 out)"
    # shellcheck disable=SC2086
    run 2 "$command" $wrong --json
    [ "$(wc -l <err)" -eq 1 ] || fail "$command $wrong --json: not one line: $(cat err)"
    jq -e '.error.status == 2 and .error.code == "usage" and (.error.message | length) > 0' err >/dev/null ||
      fail "$command $wrong --json: $(cat err)"
  done
done
[ "$(find . -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 0 ] || fail "wrong usage left something behind: $(ls)"

# The work of each command; the last word of each line is what to expect of --json: an object, or objects one a line.
echo '{"key":"a","value":"1"}' >input
works() {
  covered+=("$1")
  run 0 "$@"
  run 0 "$@" --json
  jq -es 'length > 0 and all(type == "object")' out >/dev/null || fail "$* --json: $(head -c 500 out)"
  [ "$(tail -c 1 out | od -An -c | tr -d ' ')" = '\n' ] || fail "$* --json: the last line has no end"
}
covered=()
works load s input
works put s b 2
works get s b
works scan s
works count s
works tables s
works dump s
works shell s -c 'scan; .tables'
works stat s
works txn list s
works check s
works identify s
works config show s
works page s 1
works log dump s
works del s --from b --to c
mkfifo held  # a load that waits for input has the store open meanwhile
"$plimsoll" load s held >/dev/null &
exec 3>held
for ((look = 0; look < 200; ++look)); do [ ! -S s/control ] || break; sleep 0.05; done
works top s --interval 10ms --count 1
exec 3>&-
wait
works bench read_uniform --keys 1000 --seconds 0.2 --threads 1 --memory-budget 32MiB
works stress --seconds 0.3 --keys 100 --threads 1 --memory-budget 32MiB
for command in "${commands[@]}"; do
  [[ " ${covered[*]} " == *" $command "* ]] || fail "no line of this test does the work of '$command'"
done
