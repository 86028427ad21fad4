#!/usr/bin/env bash
# All checks: installs what is missing, builds with the sanitizers and optimised, runs every test,
# format, layers, clang-tidy. Finished installs and builds are not done again. Where CUDA, cuDNN and
# NCCL are found the optimised build is the one with them, which needs no GPU for its tests; with
# C3D_REQUIRE_CUDA=1 it is a failure when they are not.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
started=$(date +%s)
jobs=$(nproc)
names=()
results=()
failed=0

stage() { # NAME COMMAND...
    local name=$1 begun status
    shift
    begun=$(date +%s)
    printf '\n== %s\n' "$name"
    "$@"
    status=$?
    case $status in
        0) results+=("ok") ;;
        77) results+=("skipped") ;;
        *) results+=("FAILED") failed=1 ;;
    esac
    names+=("$(printf '%-28s %4d s' "$name" $(($(date +%s) - begun)))")
    return $status
}

summary() {
    printf '\n== summary\n'
    for i in "${!names[@]}"; do printf '%-38s %s\n' "${names[$i]}" "${results[$i]}"; done
    printf 'tests/run.sh: %s in %d s\n' "$([ $failed = 0 ] && echo passed || echo FAILED)" \
        $(($(date +%s) - started))
    exit $failed
}

build() { # PRESET [TARGET...]
    local preset=$1
    shift
    { [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset"; } >"build/configure-$preset.log" 2>&1 ||
        { cat "build/configure-$preset.log"; return 1; }
    cmake --build --preset "$preset" -j "$jobs" ${1+--target} "$@" >"build/build-$preset.log" 2>&1 ||
        { grep -E 'error|FAILED|undefined' -A5 "build/build-$preset.log" | head -80; return 1; }
    echo "build/$preset is up to date"
}

# Python's own readers of what we write. Without them those tests are skipped and say so.
readers() {
    if [ ! -f build/venv/finished ]; then
        python3 -m venv build/venv && timeout 300 build/venv/bin/pip install -q \
            --disable-pip-version-check numpy h5py safetensors &&
            touch build/venv/finished || { echo "pip reaches no index: h5py and safetensors are not there"; return 77; }
    fi
    build/venv/bin/python -c 'import h5py, numpy, safetensors
print("numpy", numpy.__version__, "h5py", h5py.__version__, "safetensors", safetensors.__version__)'
}

# Whether the optimised build is that with CUDA.
has_cuda() {
    local missing=77
    [ "${C3D_REQUIRE_CUDA:-0}" = 1 ] && missing=1
    command -v nvcc >/dev/null || [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ] ||
        { echo "no nvcc here: built and tested without CUDA"; return "$missing"; }
    cmake --preset cuda >build/configure-cuda.log 2>&1 ||
        { grep -A2 'CUDA' build/configure-cuda.log; return "$missing"; }
    grep '^-- CUDA:' build/configure-cuda.log
}

# One test more than there are cores: many wait, for a time-out or a queue.
run_tests() { # PRESET CTEST-ARGUMENTS...
    local preset=$1
    shift
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=ignore \
        -j "$((jobs < 4 ? jobs + 1 : 4))" "$@"
}

# what runs threads of its own; test_comm also on two ranks
threaded="test_loader test_base test_comm test_clip"
before=$(git status --porcelain 2>/dev/null)
stage "packages" jobs/setup.sh --tests || summary
stage "python readers" readers && export C3D_PYTHON=$PWD/build/venv/bin/python
stage "style" tests/style.sh
optimised=release
stage "CUDA" has_cuda && optimised=cuda
stage "build debug (ASan, UBSan)" build debug || summary
stage "build $optimised" build "$optimised" || summary
stage "build tsan" build tsan $threaded || summary
stage "clang-tidy" tests/tidy.sh "build/$optimised"
stage "tests tsan (threads)" run_tests tsan -R "^(${threaded// /|})(_2)?\$"
stage "tests debug" run_tests debug -LE 'slow|style|slurm'
stage "tests $optimised" run_tests "$optimised" -LE 'style|sanitized'
untracked() {
    local after
    after=$(git status --porcelain 2>/dev/null)
    [ "$before" = "$after" ] && return 0
    diff <(printf '%s\n' "$before") <(printf '%s\n' "$after")
    return 1
}
stage "tests leave nothing behind" untracked
summary
