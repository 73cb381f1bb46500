#!/usr/bin/env bash
# The path of somebody who has installed the packages, below ROOT, and nothing else: loads a CSV, queries it, backs it up and restores it, reads the manual, then embeds the store
# in a program of his own. Usage: new_user_test.sh ROOT CXX CC
set -euo pipefail
root=$1 compiler=$2 c_compiler=$3
export PATH=$root/usr/bin:$PATH

says() {
  local expected=$1 said
  shift
  said=$("$@") || { echo "new_user_test: $* has status $?: $said" >&2; exit 1; }
  [ "$said" = "$expected" ] || { echo "new_user_test: $* says '$said', not '$expected'" >&2; exit 1; }
}
[ "$(command -v plimsoll)" = "$root/usr/bin/plimsoll" ] || { echo "new_user_test: the program is not in the package" >&2; exit 1; }

printf 'id,name,born\n1,Ada,1815\n2,Grace,1906\n3,Edsger,1930\n' >people.csv
says '3 records loaded' plimsoll load people.plim people.csv --key id
says '{"name":"Grace","born":"1906"}' plimsoll shell people.plim -c 'get 2'
says 2 plimsoll shell people.plim -c 'begin; del 1; count; abort'
says 3 plimsoll shell people.plim -c 'count'
plimsoll backup people.plim people.plimbak >/dev/null
plimsoll del people.plim 2
plimsoll restore people.plimbak restored.plim >/dev/null
says '{"name":"Grace","born":"1906"}' plimsoll get restored.plim 2
says 2 plimsoll count people.plim

# Every command has its manual, and the shells have their completions.
for command in $(plimsoll --help | awk '/^Subcommands:/ { listing = 1; next } /^[^ ]/ { listing = 0 } listing && /^  [a-z]/ { print $1 }'); do
  zcat "$root/usr/share/man/man1/plimsoll-$command.1.gz" | grep -x EXAMPLES >/dev/null ||
    { echo "new_user_test: no manual of $command" >&2; exit 1; }
done
for script in bash-completion/completions/plimsoll zsh/vendor-completions/_plimsoll fish/vendor_completions.d/plimsoll.fish; do
  grep -q durability "$root/usr/share/$script" || { echo "new_user_test: no completions in $script" >&2; exit 1; }
done

"$(dirname "$0")/consumers.sh" "$root/usr" "$compiler" "$c_compiler"
