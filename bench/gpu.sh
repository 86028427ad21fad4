# Training on a GPU against PyTorch, in turns, and the input path; run by bench/run.sh gpu.
#   BENCH_BUILD=DIR      a build with CUDA (default: made below BENCH_DIR)
#   BENCH_PYTHON=PYTHON  one that has PyTorch (default: python3 if it has, else an environment made
#                        below BENCH_DIR, which downloads some gigabytes)
#   C3D_DEPS=DIR         as for tests/gpu/run.sh
set -euo pipefail
cd "$C3D_SOURCE"
. tests/gpu/machine.sh
case " $* " in
    *" --backend"*) ;;
    *) [ "$gpu_count" != 0 ] || { echo "bench/run.sh gpu: no GPU here; nothing was run" >&2; exit 77; } ;;
esac
cd "$BENCH_DIR"

has_torch() { "$1" -c 'import torch' 2>/dev/null; }
python=${BENCH_PYTHON:-python3}
if ! has_torch "$python"; then
    python=$PWD/torch/bin/python
    if [ ! -e torch/ready ]; then
        echo "gpu: installing PyTorch" >&2
        python3 -m venv torch
        torch/bin/pip install --quiet torch numpy >&2
        touch torch/ready
    fi
fi

build=${BENCH_BUILD:-$PWD/with-cuda}
if [ -z "${BENCH_BUILD:-}" ]; then
    {
        ours cmake -S "$C3D_SOURCE" --preset cuda -B "$build" &&
            ours cmake --build "$build" --target bench_gpu bench_gpu_input c3d-train
    } >"$build.log" 2>&1 || { tail -n 30 "$build.log" >&2; exit 1; }
fi

# our programs see their libraries, Python does not
cat >ours <<END
#!/usr/bin/env bash
cd "$C3D_SOURCE" && . tests/gpu/machine.sh && cd - >/dev/null && become "\$@"
END
chmod +x ours
exec python3 "$C3D_SOURCE/bench/gpu.py" --prefix "$PWD/ours" --bin "$build/bin" \
    --python "$python" --scratch "$PWD" "$@"
