#!/usr/bin/env bash
# Installs what building, testing and benchmarking need on Debian 12: only what is missing, so that a second run changes nothing.
set -euo pipefail

packages=(
  g++ cmake ninja-build make ccache pkg-config                                # building
  libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev              # libraries
  libxxhash-dev liburing-dev
  libedit-dev                                                                 # the shell's line editor
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev jq python3     # tests, micro benchmarks
  db5.3-util lmdb-utils tmux                                                  # tests of the command line
  liblmdb-dev librocksdb-dev libdb5.3-dev libwiredtiger-dev                   # the peers of the benchmarks
  libjemalloc2 libmimalloc2.0                                                 # and of the allocator's
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev                   # lint, the second compiler
  lowdown doxygen lintian dpkg-dev zsh fish                                    # man pages, the site, packages, completions
  wordnet-base unicode-data                                                   # real data for the main job
)

# Packages named on the command line of dpkg-query that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null | sed -n 's/^ii  *//p' || true)
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) <(sort <<<"$installed")
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@" || { echo "setup: 'sudo $1' was refused; run scripts/setup.sh as root" >&2; return 1; }
  else
    echo "setup: needs root (or sudo) to run: $*" >&2
    return 1
  fi
}

mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -eq 0 ]; then
  if ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; then
    echo "setup: fetching the package index (data of the main job)"
    as_root apt-get -qq update || echo "setup: no package index; the main job will use what dpkg knows" >&2
  fi
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
as_root apt-get -qq update
as_root apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -ne 0 ]; then
  echo "setup: still missing: ${missing[*]}" >&2
  exit 1
fi
echo "setup: done"
