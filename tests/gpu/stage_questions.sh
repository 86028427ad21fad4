# Sourced by run.sh: what was read in manuals or estimated, asked of the device (questions.c).
. tests/gpu/store.sh

answers() { # QUESTION
    local code
    ours "$bin/gpu_questions" "$1" >"$1.txt"
    code=$?
    cat "$1.txt"
    { printf '%s:\n' "$1"; cat "$1.txt"; } >>"$C3D_GPU_LOGS/text-questions.txt"
    return $code
}

# NCCL refuses two ranks of one host on one GPU unless they seem to be of different hosts.
two_ranks() {
    make_store && C3D_NCCL_SHARED_GPU=1 trains 2 shared fp32 --set train.max_steps=2 || return 1
    echo "note: $(communicator_of shared)"
    communicator_of shared | grep -q NCCL
}

rm -f "$C3D_GPU_LOGS/text-questions.txt"
for question in device plans gradients bias tf32; do check "$question" answers $question; done
if [ -f "$scratch/device.json" ]; then cp "$scratch/device.json" "$C3D_GPU_LOGS/deviceprop.json"; fi
check "two ranks on one GPU by NCCL" two_ranks
