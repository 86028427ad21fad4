# Sourced by run.sh: the backend against the reference and against itself.
. tests/gpu/store.sh
precisions="fp32 tf32 bf16 fp16"
[ "$C3D_GPU_BACKEND" = cuda ] || precisions="fp32 bf16"
golden=$source_dir/tests/golden

# From compute capability 8.0 on every precision must run; before, bf16 and tf32 may be refused.
must() {
    if [ "$gpu_sm" -ge 80 ]; then check "$@"; else check_or_skip "$@"; fi
}

# Two runs, the same bytes.
repeats() { # NETWORK PRECISION
    local run
    for run in first second; do
        trains 1 "repeats-$1-$2-$run" "$2" --set model.network="$1" || return 1
    done
    same "repeats-$1-$2-first" "repeats-$1-$2-second"
}

# Stopped with SIGUSR1 in the middle and continued, against a run that was left alone.
resumes() { # PRECISION
    local pid code try
    trains 1 "whole-$1" "$1" --set train.epochs=6 || return 1
    become "$bin/c3d-train" train.yaml --set run.dir="stopped-$1" --set model.precision="$1" \
        --set train.epochs=6 &
    pid=$!
    for try in $(seq 2000); do
        [ -s "stopped-$1/metrics.csv" ] && [ "$(wc -l <"stopped-$1/metrics.csv")" -gt 1 ] && break
        sleep 0.02
    done
    kill -USR1 $pid
    wait $pid
    code=$?
    [ $code = 75 ] || { echo "exit $code after SIGUSR1, expected 75"; return 1; }
    try=$(basename "$(last "stopped-$1")" .safetensors)
    trains 1 "stopped-$1" "$1" --set train.epochs=6 || return 1
    same "whole-$1" "stopped-$1" && echo "note: stopped at $try"
}

# N ranks on this machine's GPUs against one: the first step's gradients agree to rounding, and a
# whole run ends. Ranks that share a GPU do so through NCCL if that lets them.
with_ranks() { # N
    local refused=
    export C3D_NCCL_SHARED_GPU=1
    [ -d first-1 ] || trains 1 first-1 fp32 --set train.max_steps=1 || return 1
    if ! trains "$1" "first-$1" fp32 --set train.max_steps=1; then
        refused=", NCCL refused"
        export C3D_NCCL_SHARED_GPU=0
        rm -rf "first-$1"
        trains "$1" "first-$1" fp32 --set train.max_steps=1 || return 1
    fi
    ours "$bin/compare_tensors" near "$(last first-1)" "$(last "first-$1")" adam.m/ $((16 * 16 * 256)) ||
        return 1
    trains "$1" "ranks-$1" bf16 || return 1
    echo "note: $(communicator_of "ranks-$1")$refused"
}

looks_into() { # NETWORK PRECISION: c3d-train --debug
    ours "$bin/c3d-train" --debug train.yaml --set run.dir="debug-$1-$2" --set model.network="$1" \
        --set model.precision="$2" || return 1
}

parity_of() { # PRECISION
    must "parity_backend $1" ours "$bin/parity_backend" --precision "$1" "$C3D_GPU_BACKEND"
    must "parity_entries $1" ours "$bin/parity_entries" --precision "$1" "$C3D_GPU_BACKEND"
    must "test_norm $1" ours "$bin/test_norm" "$C3D_GPU_BACKEND" "$1"
    case $1 in fp32 | tf32 | bf16) must "test_model $1" ours "$bin/test_model" "$C3D_GPU_BACKEND" "$1" ;; esac
    must "golden_test $1 (PyTorch's numbers)" ours "$bin/golden_test" "$golden" --precision "$1" \
        "$C3D_GPU_BACKEND"
}

# The kernels by themselves; what a rehearsal has of them needs a GPU.
if [ "$rehearsal" = 0 ]; then
    for program in test_cuda_channels_gpu test_cuda_kernels_gpu; do
        check $program ours "$bin/$program"
    done
fi
for precision in $precisions; do parity_of "$precision"; done
check "test_optimizer (PyTorch's updates)" ours "$bin/test_optimizer" "$golden/optimizer.safetensors" \
    "$C3D_GPU_BACKEND"
for precision in fp32 bf16; do
    must "check:$C3D_GPU_BACKEND parity_backend $precision" ours "$bin/parity_backend" \
        --precision "$precision" "check:$C3D_GPU_BACKEND"
    must "check:$C3D_GPU_BACKEND parity_entries $precision" ours "$bin/parity_entries" \
        --precision "$precision" "check:$C3D_GPU_BACKEND"
done
check "check:$C3D_GPU_BACKEND test_norm" ours "$bin/test_norm" "check:$C3D_GPU_BACKEND"

if check "dataset for the runs" make_store; then
    for precision in $precisions; do must "two runs, same bytes: c3d $precision" repeats c3d "$precision"; done
    must "two runs, same bytes: cnn2d bf16" repeats cnn2d bf16
    check "stopped and continued: fp32" resumes fp32
    must "stopped and continued: bf16" resumes bf16
    check "2 ranks against 1" with_ranks 2
    check "4 ranks against 1" with_ranks 4
    must "--debug c3d bf16" looks_into c3d bf16
    check "--debug cnn2d fp32" looks_into cnn2d fp32
fi
