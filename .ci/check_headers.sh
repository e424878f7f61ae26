#!/usr/bin/env bash
# Compiles each header alone: it must include what it uses. Left out are those that a test includes first, since the test
# build is their proof. Usage: check_headers.sh BUILD_DIR [JOBS]
set -uo pipefail
cd "$(dirname "$0")/.."
build="$1"
jobs="${2:-2}"
flags="$(cat "$build/compile_flags.txt")"

first_in_tests() {
  find tests -mindepth 2 -name '*.cpp' ! -path 'tests/golden/*' ! -path 'tests/compile_fail/*' ! -path 'tests/package/*' \
    -exec grep -hm1 '^#include "' {} \; | sed -n 's|#include "\(moecnn/[^"]*\)"|include/\1|p' | sort -u
}

headers() {
  comm -23 <(find include/moecnn -name '*.hpp' | sort) <(first_in_tests) |
    if [[ "$flags" == *MOECNN_HAS_ONEDNN* ]]; then cat; else grep -v '/backend/onednn'; fi |
    if [[ -d /usr/local/cuda ]]; then cat; else grep -v '/backend/cuda'; fi
}

check_one() {
  printf '#include "%s"\n' "${1#include/}" | ${CXX:-g++} $FLAGS -Werror -fsyntax-only -x c++ - || { echo "not self-contained: $1"; return 1; }
}
export -f check_one
export FLAGS="$flags -O0"
headers | xargs -P "$jobs" -I{} bash -c 'check_one {}' || exit 1
echo "$(headers | wc -l) headers compile alone, $(first_in_tests | wc -l) are the first of a test"
