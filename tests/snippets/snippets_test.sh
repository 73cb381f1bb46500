#!/usr/bin/env bash
# Compiles every public header, alone and with the examples of its leading comment. Usage: snippets_test.sh COMPILER INCLUDE_DIR THIS_DIR
set -euo pipefail
compiler=$1 include=$2 here=$3

compile() { "$compiler" -std=c++23 -fsyntax-only -Wall -Wextra -Wno-unused-variable -I"$include" "$1"; }

# A planted header whose example is wrong must be refused, and one whose example is right must not.
printf '// Wrong.\n//\n//   auto tx = db.commence();\n' >wrong.hpp
printf '// Right.\n//\n//   auto tx = db.begin();\n#pragma once\n' >right.hpp
awk -f "$here/extract.awk" wrong.hpp >wrong.cpp
awk -f "$here/extract.awk" right.hpp >right.cpp
if compile wrong.cpp 2>/dev/null; then echo "snippets_test: a wrong example was not noticed" >&2; exit 1; fi
compile right.cpp

failed=0
for header in "$include"/plimsoll/*.hpp; do
  name=$(basename "$header")
  awk -v header="$name" -f "$here/extract.awk" "$header" >"$name.cpp"
  compile "$name.cpp" || { echo "snippets_test: $name does not compile alone, or its example does not" >&2; failed=1; }
done
exit "$failed"
