#!/usr/bin/env bash
# Compiles plimsoll/c.h alone, as C11 and as C++, and the example in its leading comment. Usage: header_test.sh CC CXX INCLUDE_DIR
set -euo pipefail
cc=$1 cxx=$2 include=$3
flags=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only "-I$include")

printf '#include <plimsoll/c.h>\nint nothing(void);\n' >alone.c
"$cc" -std=c11 "${flags[@]}" alone.c
for standard in c++11 c++17 c++20 c++23; do "$cxx" "-std=$standard" "${flags[@]}" -x c++ alone.c; done

{
  printf '#include <plimsoll/c.h>\n#include <stdio.h>\nint example(void);\nint example(void) {\n'
  sed -n '/^\/\//!q; s|^//   *||p' "$include/plimsoll/c.h" | grep -E '[;{}]$|return' | grep -v '^[A-Z][a-z]*\.'
  printf '  return plimsoll_close(db, &error) != PLIMSOLL_OK;\n}\n'
} >example.c
grep -q plimsoll_open example.c
"$cc" -std=c11 "${flags[@]}" example.c
echo "header_test: ok"
