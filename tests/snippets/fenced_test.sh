#!/usr/bin/env bash
# Compiles every fenced block in cpp and in c of README.md, CONTRIBUTING.md and docs/. Usage: fenced_test.sh CXX CC ROOT
set -euo pipefail
compiler=$1 c_compiler=$2 root=$3
here=$(dirname "$0")

compile() {
  case $1 in
    *.cpp) "$compiler" -std=c++23 -fsyntax-only -Wall -Wextra -Wno-unused-variable -I"$root/include" "$1" ;;
    *.c) "$c_compiler" -std=c11 -fsyntax-only -Wall -Wextra -I"$root/include" "$1" ;;
  esac
}
extract() { for language in cpp c; do awk -v language="$language" -v prefix="$2" -f "$here/fenced.awk" "$1"; done; }

# A planted block that is wrong must be refused, and one that is right must not.
printf '```cpp\nauto tx = db.commence();\n```\n```cpp\nauto tx = db.begin();\n```\n```sh\nno code\n```\n' >planted.md
extract planted.md planted
if compile planted1.cpp 2>/dev/null; then echo "fenced_test: a wrong example was not noticed" >&2; exit 1; fi
compile planted2.cpp
[ ! -e planted3.cpp ]

failed=0 count=0
while read -r page; do
  name=$(tr -c 'A-Za-z0-9\n' _ <<<"${page#"$root"/}")
  extract "$page" "$name"
  for program in "$name"*.cpp "$name"*.c; do
    [ -e "$program" ] || continue
    count=$((count + 1))
    compile "$program" || { echo "fenced_test: an example of $page does not compile: $program" >&2; failed=1; }
  done
done < <(find "$root/README.md" "$root/CONTRIBUTING.md" "$root/docs" -name '*.md')
[ "$count" -ge 2 ] || { echo "fenced_test: only $count examples were found" >&2; exit 1; }
exit "$failed"
