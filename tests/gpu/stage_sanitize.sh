# Sourced by run.sh: compute-sanitizer over small cases. Only our own kernels are looked at where a
# tool is slow (racecheck) or would report what libraries do with their own work space (initcheck).
. tests/gpu/store.sh
sanitizer=$(command -v compute-sanitizer || ls "${CUDA_HOME:-/usr/local/cuda}"/bin/compute-sanitizer 2>/dev/null)
# --kernel-name adds up; the name follows __global__ and its bounds (short ones are in others' names)
own_kernels=$(awk '/__global__/ { sub(/.*__global__/, ""); open = 1 }
    open { text = text " " $0 }
    open && /\) *\{|,$|\);/ {
        gsub(/__launch_bounds__\([^)]*\)|void|template *<[^>]*>/, "", text)
        if (match(text, /[a-z_0-9]+ *\(/) && RLENGTH > 6) print substr(text, RSTART, RLENGTH - 1)
        text = ""
        open = 0
    }' src/backend/cuda/*.cu | sort -u | sed 's/^/--kernel-name kns=/' | paste -sd' ')

sanitized() { # TOOL FILTER|- COMMAND...
    local tool=$1 filter=$2
    shift 2
    [ "$filter" = - ] && filter=
    # shellcheck disable=SC2086
    ours "$sanitizer" --tool "$tool" $filter --error-exitcode 86 --print-limit 20 "$@" || return 1
    grep -q "ERROR SUMMARY: 0 errors\|RACECHECK SUMMARY: 0 hazards" "$said" ||
        { echo "$tool ended without a summary"; return 1; }
    echo "note: $(grep -o '[A-Z]* SUMMARY: .*' "$said" | tail -1)"
}

one_step() { # TOOL FILTER PRECISION
    sanitized "$1" "$2" "$bin/c3d-train" train.yaml --set run.dir="step-$1-$3" \
        --set model.precision="$3" --set train.max_steps=1 --set train.global_batch=4
}

# The tool itself: a driver or a virtual machine may refuse it, and that is no finding.
tool_works() {
    [ -n "$sanitizer" ] || { echo "compute-sanitizer is not there (CUDA's toolkit has it)"; return 77; }
    ours "$sanitizer" --tool memcheck --error-exitcode 86 "$bin/parity_entries" --precision fp32 \
        "$C3D_GPU_BACKEND" && return 0
    if grep -qiE 'device not supported|failed to initialize|not supported on this' "$said"; then
        echo "note: compute-sanitizer does not work here: $(grep -iE 'not supported|failed' "$said" | head -1)"
        return 77
    fi
    return 1
}

if check "memcheck parity_entries fp32" tool_works && check "dataset for the runs" make_store; then
    for tool in memcheck racecheck initcheck; do
        filter=$own_kernels
        [ $tool = memcheck ] && filter=-
        for program in test_cuda_channels_gpu test_cuda_kernels_gpu; do
            check "$tool $program" sanitized $tool - "$bin/$program"
        done
        [ $tool = memcheck ] || check "$tool parity_entries fp32" \
            sanitized $tool "$filter" "$bin/parity_entries" --precision fp32 "$C3D_GPU_BACKEND"
        check "$tool parity_entries bf16" \
            sanitized $tool "$filter" "$bin/parity_entries" --precision bf16 "$C3D_GPU_BACKEND"
        check "$tool one training step, bf16" one_step $tool "$filter" bf16
    done
    check "memcheck parity_backend bf16" \
        sanitized memcheck - "$bin/parity_backend" --precision bf16 "$C3D_GPU_BACKEND"
fi
