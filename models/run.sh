#!/usr/bin/env bash
# Builds and runs every model of this folder: what must hold, and the mutations that must fail. Usage: models/run.sh [--short] [model...]
# Each model's head says what it mirrors, its bounds and its properties. --short takes the small bounds. CXX chooses the compiler.
# Exit status 0 only if every outcome is the expected one.
set -euo pipefail
cd "$(dirname "$0")"
short=() models=()
for argument in "$@"; do
  case $argument in
    --short) short=(--short) ;;
    *) models+=("$argument") ;;
  esac
done
[ ${#models[@]} -gt 0 ] || models=(*.cpp)
out=../build/models
mkdir -p "$out"
wrong=0
for model in "${models[@]}"; do
  name=${model%.cpp}
  if [ ! -e "$out/$name" ] || [ "$name.cpp" -nt "$out/$name" ] || [ model.hpp -nt "$out/$name" ]; then
    "${CXX:-g++}" -std=c++23 -O2 -Wall -Wextra -Werror -o "$out/$name" "$name.cpp"
  fi
  "$out/$name" "${short[@]}" || wrong=1
done
if [ $wrong = 0 ]; then echo "models: every outcome is as expected"; else echo "models: SOME OUTCOME IS NOT AS EXPECTED"; fi
exit $wrong
