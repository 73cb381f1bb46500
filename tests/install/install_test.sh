#!/usr/bin/env bash
# Installs BUILD below the current folder, moves the tree, and builds CONSUMER, and CONSUMER_c with the C interface, against it: by
# CMake and by pkg-config. Usage: install_test.sh BUILD CONSUMER CXX CC
set -euo pipefail
build=$1 consumer=$2 compiler=$3 c_compiler=$4

cmake --install "$build" --prefix "$PWD/first" >install.log || { cat install.log; exit 1; }
mv first prefix   # nothing may remember where it was installed
if grep -rqF "$build" prefix --include='*.cmake' --include='*.pc' --include='*.hpp' --include='*.h'; then
  echo "install_test: the installed files name the build folder" >&2
  exit 1
fi

cmake -S "$consumer" -B by_cmake -G Ninja -DCMAKE_PREFIX_PATH="$PWD/prefix" -DCMAKE_CXX_COMPILER="$compiler"
cmake --build by_cmake
./by_cmake/consumer by_cmake.plim

pc=$(find "$PWD/prefix" -name plimsoll.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -ra flags < <(pkg-config --cflags plimsoll)
read -ra libraries < <(pkg-config --libs plimsoll)
"$compiler" "${flags[@]}" "$consumer/consumer.cpp" -o by_pkg_config "${libraries[@]}"
./by_pkg_config by_pkg_config.plim

cmake -S "${consumer}_c" -B c_by_cmake -G Ninja -DCMAKE_PREFIX_PATH="$PWD/prefix" -DCMAKE_C_COMPILER="$c_compiler"
cmake --build c_by_cmake
./c_by_cmake/consumer_c c_by_cmake.plim

read -ra flags < <(pkg-config --cflags plimsoll-c)
read -ra libraries < <(pkg-config --libs plimsoll-c)
"$c_compiler" -std=c11 "${flags[@]}" "${consumer}_c/consumer.c" -o c_by_pkg_config "${libraries[@]}"
library=$(dirname "$(find "$PWD/prefix" -name 'libplimsoll.so.0')")
LD_LIBRARY_PATH=$library ./c_by_pkg_config c_by_pkg_config.plim
echo "install_test: all consumers work"
