#!/usr/bin/env bash
# Every error code of include/plimsoll/error.hpp has its entry in docs/operations.md, which says what it means, whether it may be tried
# again, and what to do; and there is no entry of another code. Usage: error_codes_test.sh ROOT
set -euo pipefail

# "conflict true", one a line.
codes_of_header() { sed -n 's/^  X(\([a-z_]*\), ".*", \(true\|false\)).*/\1 \2/p' "$1/include/plimsoll/error.hpp" | sort; }

# The same, from the entries below the heading "Error codes". An entry without a text counts for nothing.
codes_of_page() {
  awk '/^## / { inside = $0 == "## Error codes" }
       !inside { next }
       /^### / { code = $2; next }
       code != "" && /[a-z]/ { text[code] = text[code] $0 }
       END { for (code in text) print code, text[code] ~ /\*Retryable\*/ ? "true" : "false" }' "$1" | sort
}

same() { diff <(codes_of_header "$1") <(codes_of_page "$2") >difference; }

same "$1" "$1/docs/operations.md" || { echo "error_codes_test: error.hpp (<) and docs/operations.md (>) differ:" >&2; cat difference >&2; exit 1; }
[ "$(codes_of_header "$1" | wc -l)" -ge 20 ] || { echo "error_codes_test: the codes of error.hpp are not found" >&2; exit 1; }
sed '/^### conflict$/,/^###/ { /^### conflict$/d }' "$1/docs/operations.md" >without.md
if same "$1" without.md; then echo "error_codes_test: a missing entry was not noticed" >&2; exit 1; fi
