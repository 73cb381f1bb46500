#!/usr/bin/env bash
# Makes the compressed man page OUT of a page of docs/commands. Usage: man_page.sh PAGE OUT VERSION
set -euo pipefail
page=$1 out=$2 version=$3
name=$(basename "$page" .md)
mkdir -p "$(dirname "$out")"
awk -f "$(dirname "$0")/man_page.awk" "$page" |
  lowdown -s -Tman -m title="$name" -m section=1 -m "source=Plimsoll $version" -m "volume=Plimsoll manual" -m date= - |
  gzip -9n >"$out.new"
mv "$out.new" "$out"
