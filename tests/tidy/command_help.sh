#!/usr/bin/env bash
# Every command that `plimsoll --help` lists answers --help: exit status 0, something on stdout, nothing on stderr.
# Usage: command_help.sh PROGRAM
set -euo pipefail
program=$1

# The first words of the indented lines below a heading "Commands:" or "Subcommands:".
commands_of() {
  awk '/^[A-Za-z ]*[Cc]ommands:/ { listing = 1; next }
       /^[^ ]/ { listing = 0 }
       listing && /^  [a-z]/ { print $1 }'
}

mapfile -t commands < <("$program" --help | commands_of)
if [ "${#commands[@]}" -eq 0 ]; then
  echo "command_help: '$program --help' lists no commands" >&2
  exit 1
fi
failed=0
for command in "${commands[@]}"; do
  if ! text=$("$program" "$command" --help 2>&1 >/dev/null) || [ -n "$text" ]; then
    echo "command_help: '$command --help' fails or writes to stderr: $text" >&2
    failed=1
  elif [ -z "$("$program" "$command" --help)" ]; then
    echo "command_help: '$command --help' says nothing" >&2
    failed=1
  fi
done
[ "$failed" -eq 0 ] && echo "command_help: ${#commands[@]} commands ok"
exit "$failed"
