#!/usr/bin/env bash
# Installs what moecnn is built with. Usage: cmake/setup.sh [build] [docs] [format] [ci]     (default: build)
# On Debian and its relatives it installs packages, as root or with sudo, and says which. Elsewhere it prints them.
# When everything is there it does nothing, quickly.
set -euo pipefail

packages=()
for purpose in "${@:-build}"; do
  case "$purpose" in
    build)
      packages+=(build-essential cmake ninja-build python3
        libfmt-dev libeigen3-dev libdnnl-dev libjansson-dev libpng-dev libjpeg-dev zlib1g-dev  # the library
        libcli11-dev doctest-dev catch2)                                                # examples, tests, benchmarks
      ;;
    docs) packages+=(doxygen) ;;
    format) packages+=(clang-format-16 git) ;;
    ci) packages+=(clang-format-16 doxygen git xz-utils clang libclang-rt-dev libomp-dev) ;;
    *) echo "setup.sh: unknown purpose '$purpose'; expected build, docs, format or ci" >&2; exit 2 ;;
  esac
done

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  if command -v cmake >/dev/null && [[ -n "${MOECNN_SKIP_SETUP:-}" ]]; then exit 0; fi
  cat >&2 <<TEXT
This system has no apt-get, so nothing was installed. moecnn needs (Debian's names):
  ${packages[*]}
Install their equivalents (a C++20 compiler, CMake 3.22, fmt 9, Eigen 3.4, oneDNN 2.6 or newer, jansson, libpng,
libjpeg-turbo, CLI11, doctest, Catch2 2.13) and run make again with MOECNN_SKIP_SETUP=1.
TEXT
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  # The status field, since a removed package may still be known.
  if [[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]]; then
    missing+=("$package")
  fi
done
((${#missing[@]})) || exit 0

as_root=()
if [[ "$(id -u)" != 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Not root and no sudo here. Ask somebody who may to run:" >&2
    echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing with apt-get: ${missing[*]}"
# One update, and a second try after it: package lists are often empty or old on a fresh machine.
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "Installed."
