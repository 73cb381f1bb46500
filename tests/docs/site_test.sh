#!/usr/bin/env bash
# The documentation site is built without a warning, and no local link of it is broken. Usage: site_test.sh ROOT
set -euo pipefail
root=$1
"$root/scripts/site.sh" site

follows() { "$root/scripts/site/follow_links.py" site >/dev/null 2>&1; }
[ -e site/index.html ] && [ "$(find site -name '*.html' | wc -l)" -ge 40 ] || { echo "site_test: pages are missing" >&2; exit 1; }
for link in nowhere.html index.html#nowhere; do
  echo "<a href=\"$link\">planted</a>" >site/planted.html
  if follows; then echo "site_test: a broken link to $link was not noticed" >&2; exit 1; fi
done
