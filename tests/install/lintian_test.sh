#!/usr/bin/env bash
# lintian finds neither errors nor warnings in the packages of FOLDER. Usage: lintian_test.sh FOLDER
set -euo pipefail
options=(--fail-on 'error,warning' --tag-display-limit 0)
[ "$(id -u)" -ne 0 ] || options+=(--allow-root)
lintian "${options[@]}" "$1"/*.deb
