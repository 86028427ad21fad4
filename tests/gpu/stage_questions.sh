# Sourced by run.sh: what was read in manuals or estimated, asked of the device (questions.c).
answers() { # QUESTION
    ours "$bin/gpu_questions" "$1" >"$1.txt" 2>"$1.err"
    local code=$?
    cat "$1.txt" "$1.err"
    cat "$1.txt" >>"$C3D_GPU_LOGS/text-questions.txt"
    return $code
}

# NCCL refuses two ranks of one host on one GPU unless they seem to be of different hosts.
two_ranks() {
    C3D_NCCL_SHARED_GPU=1 ranks 2 "$bin/gpu_questions" nccl
}

rm -f "$C3D_GPU_LOGS/text-questions.txt"
for question in device plans gradients bias tf32; do check "$question" answers $question; done
cp "$scratch"/device.json "$C3D_GPU_LOGS/deviceprop.json" 2>/dev/null
check_or_skip "two ranks on one GPU by NCCL" two_ranks
