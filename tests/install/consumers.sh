#!/usr/bin/env bash
# Builds consumer/, and consumer_c/ with the C interface, against what is installed below PREFIX, by CMake and by pkg-config, and runs them.
# Writes into the current folder. Usage: consumers.sh PREFIX CXX CC
set -euo pipefail
prefix=$1 compiler=$2 c_compiler=$3
consumer=$(dirname "$0")/consumer

cmake -S "$consumer" -B by_cmake -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$compiler"
cmake --build by_cmake
./by_cmake/consumer by_cmake.plim

pc=$(find "$prefix" -name plimsoll.pc)
export PKG_CONFIG_PATH=${pc%/*}
read -ra flags < <(pkg-config --cflags plimsoll)
read -ra libraries < <(pkg-config --libs plimsoll)
"$compiler" "${flags[@]}" "$consumer/consumer.cpp" -o by_pkg_config "${libraries[@]}"
./by_pkg_config by_pkg_config.plim

cmake -S "${consumer}_c" -B c_by_cmake -G Ninja -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$c_compiler"
cmake --build c_by_cmake
./c_by_cmake/consumer_c c_by_cmake.plim

read -ra flags < <(pkg-config --cflags plimsoll-c)
read -ra libraries < <(pkg-config --libs plimsoll-c)
"$c_compiler" -std=c11 "${flags[@]}" "${consumer}_c/consumer.c" -o c_by_pkg_config "${libraries[@]}"
library=$(dirname "$(find "$prefix" -name 'libplimsoll.so.0')")
LD_LIBRARY_PATH=$library ./c_by_pkg_config c_by_pkg_config.plim
echo "consumers: all work"
