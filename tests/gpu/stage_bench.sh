# Sourced by run.sh: bench/run.sh gpu, and the own kernels alone.
text=$C3D_GPU_LOGS/text-bench.txt
compare() {
    local code
    cd "$source_dir" || return 1
    BENCH_BUILD=$C3D_GPU_BUILD BENCH_DIR=$C3D_GPU_LOGS/bench bench/run.sh gpu \
        --seconds $(($(seconds_left) - 40)) ${C3D_GPU_BENCH:-} >"$scratch/compared.txt"
    code=$?
    tee -a "$text" <"$scratch/compared.txt"
    [ $code = 0 ] || return $code
    grep -q '^gpu ratio=' "$text" || { echo "no last line with a ratio"; return 1; }
    echo "note: $(grep 'ratio=' "$text" | paste -sd' ')"
}

kernels() {
    ours timeout 90 "$bin/bench_cuda_kernels" >"$scratch/kernels.txt" || return 1
    tee -a "$text" <"$scratch/kernels.txt"
}

rm -f "$text"
[ "$rehearsal" = 1 ] || check "bench_cuda_kernels" kernels
check "bench/run.sh gpu" compare
