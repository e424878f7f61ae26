#!/usr/bin/env bash
# Compiles each header alone: it must include what it uses. Usage: check_headers.sh BUILD_DIR [JOBS]
set -uo pipefail
cd "$(dirname "$0")/.."
build="$1"
jobs="${2:-2}"
flags="$(cat "$build/compile_flags.txt")"

headers() {
  find include/moecnn -name '*.hpp' | sort |
    if [[ "$flags" == *MOECNN_HAS_ONEDNN* ]]; then cat; else grep -v '/backend/onednn'; fi |
    if [[ -d /usr/local/cuda ]]; then cat; else grep -v '/backend/cuda'; fi
}

check_one() {
  printf '#include "%s"\n' "${1#include/}" | ${CXX:-g++} $FLAGS -Werror -fsyntax-only -x c++ - || { echo "not self-contained: $1"; return 1; }
}
export -f check_one
export FLAGS="$flags -O0"
headers | xargs -P "$jobs" -I{} bash -c 'check_one {}' || exit 1
echo "$(headers | wc -l) headers compile alone"
