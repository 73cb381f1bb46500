#!/usr/bin/env bash
# Runs a program in an empty folder that is removed afterwards; its exit status is the program's. Usage: run_in_temp.sh PROGRAM [ARGUMENT]...
set -euo pipefail
folder=$(mktemp -d "$PWD/tmp.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export XDG_CONFIG_HOME=$folder/none  # nobody's own configuration
unset PLIMSOLL_CONFIG
"$@"
