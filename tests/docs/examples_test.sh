#!/usr/bin/env bash
# The examples of the pages in docs/ print what the pages say. Usage: examples_test.sh PROGRAM ROOT
set -euo pipefail
here=$(dirname "$0") program=$1 root=$2

fails() {
  printf '```sh\n%s\n```\n' "$1" >planted.md
  if "$here/examples.py" "$program" planted.md >/dev/null 2>&1; then
    echo "examples_test: not noticed: $1" >&2
    exit 1
  fi
}
fails $'$ plimsoll put s a 1\n$ plimsoll get s a\n2'  # another output
fails $'$ plimsoll put s a 1\n$ plimsoll get s a'     # none
fails $'$ plimsoll put s a 1\n1'                      # one where there is none
fails '$ plimsoll get s a >/dev/null 2>&1'            # a failure
fails '$ exit 0'                                      # an end

mapfile -t pages < <(find "$root/README.md" "$root/CONTRIBUTING.md" "$root/docs" -name '*.md' | sort)
"$here/examples.py" "$program" "${pages[@]}"
