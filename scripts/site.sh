#!/usr/bin/env bash
# Builds the documentation site in FOLDER, and follows its links. Warnings are errors. Usage: scripts/site.sh FOLDER
set -euo pipefail
mkdir -p "$1"
SITE=$(realpath "$1")
cd "$(dirname "$0")/.."
VERSION=$(sed -n 's/^project(plimsoll VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
export SITE VERSION
doxygen scripts/site/Doxyfile
scripts/site/follow_links.py "$SITE"
