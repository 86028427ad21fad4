# Training steps on the CPU against PyTorch eager, in turns; run by bench/run.sh cpu-step.
# Makes, once, below BENCH_DIR: a virtual environment with PyTorch, one with oneDNN 3, and the
# contestant built with the system's oneDNN and with that one.
set -euo pipefail
cd "$BENCH_DIR"

fetch() { # DIR PACKAGES...: a virtual environment with the packages
    local dir=$1
    shift
    [ -e "$dir/ready" ] && return
    echo "cpu-step: installing $*" >&2
    python3 -m venv "$dir"
    "$dir/bin/pip" install --quiet "$@" >&2
    touch "$dir/ready"
}

build() { # DIR CMAKE_ARGUMENTS...
    local dir=$1
    shift
    cmake -S "$C3D_SOURCE" -B "$dir" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo "$@" >"$dir.log" &&
        cmake --build "$dir" --target bench_cpu_step >>"$dir.log" ||
        { tail -n 30 "$dir.log" >&2; exit 1; }
}

fetch torch torch numpy
fetch onednn3 --no-deps onednn-cpu-gomp onednn-devel-cpu-gomp
build with-onednn
build with-onednn3 -DDNNL_INCLUDE_DIR="$PWD/onednn3/include" \
    -DDNNL_LIBRARY="$PWD/onednn3/lib/libdnnl.so"
exec python3 "$C3D_SOURCE/bench/cpu_step.py" --ours "$PWD/with-onednn/bin/bench_cpu_step" \
    --ours "$PWD/with-onednn3/bin/bench_cpu_step" --python "$PWD/torch/bin/python" "$@"
