#!/usr/bin/env bash
# The page in the tree is what its generator prints. Usage: same_page.sh GENERATOR PAGE
set -euo pipefail
"$1" | diff -u "$2" - || { echo "same_page: $2 is out of date; run 'make docs'" >&2; exit 1; }
