#!/usr/bin/env bash
# What the shells complete is what the program takes: bash, and zsh and fish where they are installed, are asked for completions of command lines,
# and --help says what should come.
. "$(dirname "$0")/lib.sh"
PATH=$(dirname "$plimsoll"):$PATH
for shell in bash zsh fish; do
  run 0 completion "$shell"
  mv out "$shell.script"
done
mkdir zsh
mv zsh.script zsh/_plimsoll  # as zsh finds it

# asked_SHELL WORD...: what the shell offers for the last word, sorted, one a line.
asked_bash() {
  bash --norc -c '. ./bash.script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _plimsoll; printf "%s\n" "${COMPREPLY[@]}"' \
    bash plimsoll "$@" | sort -u | sed '/^$/d'
}
asked_fish() {
  HOME=$PWD fish --no-config -c 'source fish.script; complete -C "$argv"' "plimsoll $*" | cut -f 1 | sort -u
}
asked_zsh() { zsh -f "$here/completion.zsh" "plimsoll $*" | sort -u; }
here=$(dirname "$0")

options_of() { { listed Options "$1"; listed 'Options of the store' "$1"; echo --json; } | sed 's/{.*//' | tr ',' '\n' | sort -u; }
commands_of() { listed Subcommands "$1" | sort; }

# is SHELL EXPECTED WORD...: exactly these.
is() {
  local shell=$1 expected=$2 got
  shift 2
  got=$("asked_$shell" "$@")
  [ "$got" = "$expected" ] || fail "$shell: plimsoll $*: offers '$got', not '$expected'"
}
lines() { printf '%s\n' "$@" | sort; }

mkdir folder
mkdir files
touch files/file
shells=(bash)
for shell in zsh fish; do
  if command -v "$shell" >/dev/null; then shells+=("$shell"); else echo "completion_test: no $shell here; not asked"; fi
done

for shell in "${shells[@]}"; do
  is "$shell" "$(commands_of '')" ''
  is "$shell" "$(commands_of txn)" txn ''
  is "$shell" scan sc
  is "$shell" "$(lines durable relaxed)" put folder k v --durability ''
  is "$shell" "$(lines auto csv db_dump jsonl tsv)" load folder --format ''
  is "$shell" "$(lines read_committed snapshot)" bench --isolation ''
  is "$shell" "$(lines ycsb_a ycsb_b ycsb_c ycsb_f)" bench read_uniform y
  is "$shell" "$(lines bash fish zsh)" completion ''
  is "$shell" --limit scan folder --range a b --li
done
is bash folder get --table x fo
is bash files/file put folder k --file files/
is bash relaxed put folder k v --durability = r
is bash '' get folder ''  # a key: anything
for command in '' $(commands_of ''); do
  # shellcheck disable=SC2086
  is bash "$(options_of "$command" | grep '^--')" $command --
done
for shell in "${shells[@]}"; do
  for command in load 'log dump'; do
    # shellcheck disable=SC2086
    is "$shell" "$(options_of "$command" | grep '^--')" $command --
  done
done
