#!/usr/bin/env bash
# Lays out oneDNN 3.x as a prefix for -DMOECNN_ONEDNN_ROOT=DIR, from PyPI's wheels. Usage:
#   cmake/fetch_onednn3.sh DIR [gomp|sycl]
#   gomp (default)  oneDNN 3.2 on GNU OpenMP: 39 MB, needs nothing but what GCC brings
#   sycl            oneDNN 3.13 on SYCL: 600 MB to fetch, 1.8 GB on disk; programs also need the environment variable
#                   that this script prints
# The wheels are archives; nothing is installed and no Python environment is touched.
set -euo pipefail

dir="${1:?usage: fetch_onednn3.sh DIR [gomp|sycl]}"
flavour="${2:-gomp}"
case "$flavour" in
  gomp) wheels=(onednn-devel-cpu-gomp==2023.2.0 onednn-cpu-gomp==2023.2.0) ;;
  sycl) wheels=(onednn-devel==2026.1.0 onednn==2026.1.0 intel-sycl-rt==2026.2.0 intel-cmplr-lib-rt==2026.2.0
          intel-cmplr-lib-ur==2026.2.0 intel-opencl-rt==2026.2.0 tbb==2023.2.0 tcmlib==1.6.0 umf==1.2.0) ;;
  *) echo "fetch_onednn3.sh: unknown flavour '$flavour'; expected gomp or sycl" >&2; exit 2 ;;
esac

python3 -m pip --version >/dev/null 2>&1 || { echo "fetch_onednn3.sh needs pip (apt-get install python3-pip)" >&2; exit 1; }

downloads="$(mktemp -d)"
trap 'rm -rf "$downloads"' EXIT
python3 -m pip download --quiet --no-deps --dest "$downloads" "${wheels[@]}"

mkdir -p "$dir"
dir="$(cd "$dir" && pwd)"
for wheel in "$downloads"/*.whl; do
  python3 - "$wheel" "$dir" <<'PY'
import sys, zipfile
wheel, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for member in archive.infolist():
        # NAME.data/data/ holds what an installation would put under the prefix.
        head, mark, tail = member.filename.partition(".data/data/")
        if mark and tail.startswith(("include/", "lib/")):
            member.filename = tail
            archive.extract(member, target)
PY
done

echo "oneDNN is in $dir; configure with"
echo "  cmake --preset release -B build/onednn3 -DMOECNN_ONEDNN_ROOT=$dir"
if [[ "$flavour" == sycl ]]; then
  echo "and run programs with"
  echo "  OCL_ICD_FILENAMES=$dir/lib/libintelocl.so"
fi
