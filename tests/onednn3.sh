#!/usr/bin/env bash
# Builds the backends with oneDNN 3.x from Python's package index and runs their tests with it.
# Writes below the working directory (or BUILD_DIR) only; a second call continues what is there.
#   tests/onednn3.sh          exit 77 when the packages cannot be had
set -euo pipefail
source_dir=${C3D_SOURCE:-$(cd "$(dirname "$0")/.." && pwd)}
work=${BUILD_DIR:-$PWD}/onednn3
packages=(onednn-cpu-gomp onednn-devel-cpu-gomp)
targets=(test_backend_ref test_norm parity_backend parity_entries golden_test)

skip() {
    echo "onednn3: skipped: $1"
    exit 77
}

mkdir -p "$work"
cd "$work"
if [ ! -f venv/include/oneapi/dnnl/dnnl.h ]; then
    python3 -m venv venv >venv.log 2>&1 || skip "python3 makes no virtual environment here"
    timeout 300 venv/bin/pip install --quiet --no-deps "${packages[@]}" >pip.log 2>&1 ||
        skip "pip cannot get ${packages[*]}: $(tail -n 1 pip.log)"
fi
cmake -S "$source_dir" -B build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DC3D_CUDA=OFF \
    -DDNNL_INCLUDE_DIR="$work/venv/include" -DDNNL_LIBRARY="$work/venv/lib/libdnnl.so" >cmake.log ||
    { cat cmake.log; exit 1; }
cmake --build build --target "${targets[@]}" >build.log || { tail -n 30 build.log; exit 1; }

bin=build/bin
$bin/test_backend_ref 2>ref.log || { cat ref.log; exit 1; }
for isa in ALL AVX2; do
    ONEDNN_MAX_CPU_ISA=$isa $bin/parity_backend onednn | tee said
    grep -q 'oneDNN 3\.' said || { echo "onednn3: not run with oneDNN 3"; exit 1; }
    ONEDNN_MAX_CPU_ISA=$isa $bin/parity_entries onednn
    ONEDNN_MAX_CPU_ISA=$isa $bin/test_norm onednn 2>norm.log || { cat norm.log; exit 1; }
    ONEDNN_MAX_CPU_ISA=$isa $bin/golden_test "$source_dir/tests/golden" onednn
done
for test in "parity_backend onednn" "parity_entries onednn" "golden_test $source_dir/tests/golden onednn"; do
    st=0
    $bin/${test% *} --precision bf16 onednn >said || st=$?
    cat said
    [ $st -eq 0 ] || [ $st -eq 77 ] || exit 1
done
