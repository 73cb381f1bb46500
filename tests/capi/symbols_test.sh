#!/usr/bin/env bash
# The functions that the header declares, those that the library exports and those that the tests call are the same; the library
# exports nothing else. Usage: symbols_test.sh HEADER LIBRARY TESTS_DIR
set -euo pipefail
header=$1 library=$2 tests=$3

# Declarations begin with PLIMSOLL_API; the name stands before the first parenthesis.
declared() { grep '^PLIMSOLL_API' "$1" | sed 's/(.*//; s/.*[ *]//' | sort; }
# Without the version node's own symbol.
exported() { nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort; }
called() { cat "$tests"/*_test.c "$tests"/support.h | grep -oE 'plimsoll_[a-z_]+\(' | tr -d '(' | sort -u; }

# compare HEADER: says what differs.
compare() {
  local failed=0 name
  while read -r name; do echo "symbols_test: $name is declared, but not exported" >&2; failed=1; done < <(comm -23 <(declared "$1") <(exported "$library"))
  while read -r name; do echo "symbols_test: $name is exported, but not declared" >&2; failed=1; done < <(comm -13 <(declared "$1") <(exported "$library"))
  while read -r name; do echo "symbols_test: $name is called by no test" >&2; failed=1; done < <(comm -23 <(declared "$1") <(called))
  return "$failed"
}

# It notices a function that is not there, and one that is not declared.
{ cat "$header"; echo 'PLIMSOLL_API int plimsoll_planted(void);'; } >more.h
if compare more.h 2>/dev/null; then echo "symbols_test: a missing function was not noticed" >&2; exit 1; fi
grep -v '^PLIMSOLL_API const char\* plimsoll_version' "$header" >fewer.h
if compare fewer.h 2>/dev/null; then echo "symbols_test: a stray export was not noticed" >&2; exit 1; fi

[ "$(declared "$header" | wc -l)" -gt 60 ]
[ "$(declared "$header")" = "$(declared "$header" | uniq)" ]
compare "$header"
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[ "$soname" = libplimsoll.so.0 ] || { echo "symbols_test: the soname is $soname" >&2; exit 1; }
echo "symbols_test: $(declared "$header" | wc -l) functions"
