#!/usr/bin/env bash
# command_help.sh must refuse a program with a command whose --help fails, says nothing, or writes to stderr, and one without commands.
set -euo pipefail
checker=$(dirname "$0")/command_help.sh

# A program with the commands load and stat; `stat --help` runs the given line.
program() {
  cat >program <<END
#!/usr/bin/env bash
if [ "\$1" = --help ]; then printf 'Usage\n\nSubcommands:\n  load   reads\n  stat   shows\n'; exit 0; fi
if [ "\$1" = load ]; then echo "load STORE"; exit 0; fi
$1
END
  chmod +x program
}
refused() {
  if "$checker" ./program >/dev/null 2>&1; then echo "command_help_self_test: not noticed: $1" >&2; exit 1; fi
}

program 'echo "stat STORE"'; "$checker" ./program
program 'exit 2'; refused "a failing --help"
program 'exit 0'; refused "a silent --help"
program 'echo "stat STORE"; echo oops >&2'; refused "stderr"
printf '#!/usr/bin/env bash\necho Usage\n' >program; refused "no commands"
