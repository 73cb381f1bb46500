#!/usr/bin/env bash
# plimsoll_statistics_json has the members of `plimsoll stat --json`. Usage: same_json_test.sh CLI PYTHON_EXAMPLES. Environment:
# PLIMSOLL_LIBRARY.
set -euo pipefail
cli=$1
export PYTHONPATH=$2 PYTHONDONTWRITEBYTECODE=1
python3 -c 'import plimsoll
with plimsoll.Store("store") as store: print(store.statistics())' >by_c.json
"$cli" stat store --json >by_cli.json
# What is in the lists, and the phases of pressure, differs from one open to the next.
members() { jq -S 'del(.events[], .contexts[], .pressure.events[]) | [paths] | sort' "$1"; }
diff <(members by_c.json) <(members by_cli.json)
jq -e '.events | length > 0' by_c.json >by_c.events
echo "same_json_test: ok"
