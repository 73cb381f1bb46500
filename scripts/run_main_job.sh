#!/usr/bin/env bash
# The main job: real data, concurrent writers, a kill, recovery, verification (bench/main_job/). Usage: scripts/run_main_job.sh [option]...
# The store lies in a folder of its own beside the build (a real disk, not a memory file system) and is removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."
job=build/release/bench/main_job
if [ ! -x "$job" ]; then
  echo "run: $job does not exist; run 'make build' first" >&2
  exit 1
fi
folder=$(mktemp -d build/main_job.XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$job" --folder "$folder" "$@"
