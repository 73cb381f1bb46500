#!/usr/bin/env bash
# Lint: formatting, clang-tidy, and the tree's own rules. Usage: scripts/lint.sh [format|tidy|tree]... (all three without arguments)
# Environment: JOBS (2). clang-tidy remembers in build/lint which files passed and looks again when a file, a header or .clang-tidy changed.
set -euo pipefail
cd "$(dirname "$0")/.."
jobs=${JOBS:-2}

sources() {
  local folders=()
  for folder in include src cli bench tests examples; do [ -d "$folder" ] && folders+=("$folder"); done
  find "${folders[@]}" -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' | sort
}

lint_format() {
  sources | xargs -P "$jobs" -n 32 clang-format-19 --dry-run --Werror
  echo "lint: format ok ($(sources | wc -l) files)"
}

# The files of src/ that have not passed since they, any header, or the checks last changed.
unchecked_sources() {
  local file stamp newest
  newest=$(find src include .clang-tidy -name '*.hpp' -o -name .clang-tidy | xargs ls -t | sed -n 1p)
  find src -name '*.cpp' | sort | while read -r file; do
    stamp=build/lint/$file.ok
    if [ ! -e "$stamp" ] || [ "$file" -nt "$stamp" ] || [ "$newest" -nt "$stamp" ]; then echo "$file"; fi
  done
}

tidy_one() {
  clang-tidy-19 --quiet -p build/clang "$1" 2>/dev/null || { echo "lint: clang-tidy refuses $1" >&2; return 1; }
  mkdir -p "build/lint/$(dirname "$1")"
  touch "build/lint/$1.ok"
}
export -f tidy_one

lint_tidy() {
  cmake --preset clang >/dev/null
  unchecked_sources | xargs -r -P "$jobs" -I{} bash -c 'tidy_one {}'
  echo "lint: clang-tidy ok"
}

lint_tree() {
  mkdir -p build/lint
  "${CXX:-g++}" -std=c++23 -O1 -o build/lint/tidy tests/tidy/tidy_main.cpp tests/tidy/rules.cpp
  build/lint/tidy .
}

for part in "${@:-format tree tidy}"; do
  for name in $part; do "lint_$name"; done
done
