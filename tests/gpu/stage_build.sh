# Sourced by run.sh: everything that the other stages run.
targets="c3d-dataset c3d-train c3d-evaluate parity_backend parity_entries test_norm test_model
    golden_test test_optimizer compare_tensors test_cuda_channels_gpu test_cuda_kernels_gpu
    gpu_questions bench_gpu bench_gpu_input bench_cuda_kernels"

configure() {
    local architecture=90
    [ "$gpu_count" = 0 ] || architecture=native
    cd "$source_dir" || return 1
    ours cmake --preset cuda -B "$C3D_GPU_BUILD" -DCMAKE_CUDA_ARCHITECTURES=$architecture || return 1
    echo "note: CMAKE_CUDA_ARCHITECTURES=$architecture"
}

compile() {
    # shellcheck disable=SC2086
    ours cmake --build "$C3D_GPU_BUILD" -j "$jobs" --target $targets || return 1
    echo "note: $(echo $targets | wc -w) programs"
}

versions() {
    ours "$bin/c3d-train" --version || return 1
    ours "$bin/c3d-train" --version | grep -qi cudnn || { echo "c3d-train has no cuDNN"; return 1; }
    echo "note: $(ours "$bin/c3d-train" --version | paste -sd' ')"
}

check configure configure && check compile compile && check versions versions
