#!/usr/bin/env bash
# Builds the Debian packages of BUILD in FOLDER and installs them into an empty root, FOLDER/root: by dpkg, or, without the rights that it needs,
# by unpacking them. Usage: build_packages.sh BUILD FOLDER
set -euo pipefail
build=$1 folder=$2

rm -rf "$folder"
mkdir -p "$folder"/root/var/lib/dpkg/{info,updates,triggers}
cd "$folder"
cpack --config "$build/CPackConfig.cmake" -B "$PWD" >cpack.log 2>&1 && ! grep -q 'CMake Error' cpack.log || { cat cpack.log >&2; exit 1; }
rm -rf _CPack_Packages
[ "$(ls | sed -n 's/_.*\.deb$//p' | sort | tr '\n' ' ')" = 'libplimsoll-dev libplimsoll0 plimsoll ' ] ||
  { echo "build_packages: not the three packages: $(ls)" >&2; exit 1; }
if [ "$(id -u)" -eq 0 ]; then
  touch root/var/lib/dpkg/status
  dpkg --root="$PWD/root" --force-depends --install ./*.deb >dpkg.log 2>&1 || { cat dpkg.log >&2; exit 1; }
else
  for package in ./*.deb; do dpkg-deb -x "$package" root; done
fi
