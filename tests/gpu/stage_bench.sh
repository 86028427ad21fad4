# Sourced by run.sh: bench/run.sh gpu, and the own kernels alone.
compare() {
    local code text=$C3D_GPU_LOGS/text-bench.txt
    cd "$source_dir" || return 1
    BENCH_BUILD=$C3D_GPU_BUILD BENCH_DIR=$C3D_GPU_LOGS/bench bench/run.sh gpu \
        --seconds $(($(seconds_left) - 40)) ${C3D_GPU_BENCH:-} >"$text"
    code=$?
    cat "$text"
    [ $code = 0 ] || return $code
    grep -q '^gpu ratio=' "$text" || { echo "no last line with a ratio"; return 1; }
    echo "note: $(grep 'ratio=' "$text" | paste -sd' ')"
}

if [ -x "$bin/bench_cuda_kernels" ]; then
    check "bench_cuda_kernels" timeout 90 bash -c 'ours "$bin/bench_cuda_kernels"'
fi
check "bench/run.sh gpu" compare
