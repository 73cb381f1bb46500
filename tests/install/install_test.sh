#!/usr/bin/env bash
# Installs BUILD below the current folder, moves the tree, and builds the consumers against it. Usage: install_test.sh BUILD CXX CC
set -euo pipefail
build=$1 compiler=$2 c_compiler=$3

cmake --install "$build" --prefix "$PWD/first" >install.log || { cat install.log; exit 1; }
mv first prefix   # nothing may remember where it was installed
if grep -rqF "$build" prefix --include='*.cmake' --include='*.pc' --include='*.hpp' --include='*.h'; then
  echo "install_test: the installed files name the build folder" >&2
  exit 1
fi
"$(dirname "$0")/consumers.sh" "$PWD/prefix" "$compiler" "$c_compiler"
