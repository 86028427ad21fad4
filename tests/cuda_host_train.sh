#!/usr/bin/env bash
# c3d-train on GPUs that the host plays (tests/cuda_host/device.h): one rank and two, NCCL and MPI,
# repeated bit for bit whatever order streams run in, stopped and resumed, and what is said when
# something fails.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/cuda_host/c3d-train
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
same() { "$C3D_TEST_BIN/compare_tensors" equal "$(last "$1")" "$(last "$2")" || fail "$1 and $2 differ"; }
rm -rf ./*/
small=(--set train.epochs=1 --set data.max_per_class=16 --set run.deterministic=true)
run() { local dir=$1; shift; expect 0 "$train" "$config" "${small[@]}" --set run.dir="$dir" "$@"; }
run2() { local dir=$1; shift; expect 0 ranks 2 "$train" "$config" "${small[@]}" --set run.dir="$dir" "$@"; }
# training loss of the first step and validation loss: step 1 sees the same parameters; later Adam
# makes whole steps of gradients that are rounding alone
near() {
    local a b
    a=$(sed -n '1s/.*"loss": \([^,]*\),.*/\1/p' "$1/steps.jsonl")
    b=$(sed -n '1s/.*"loss": \([^,]*\),.*/\1/p' "$2/steps.jsonl")
    awk -v a="$a" -v b="$b" -v t="$3" 'BEGIN { exit !((a - b) ^ 2 <= (t * b) ^ 2 && b > 0) }' ||
        fail "the first loss of $1 is $a, of $2 $b"
    awk -F, -v t="$4" 'FNR == 2 { v[NR == FNR] = $7 }
        END { d = v[0] - v[1]; exit !(d * d <= (t * v[1]) ^ 2 && v[1] > 0) }' \
        "$1/metrics.csv" "$2/metrics.csv" || fail "validation losses of $1 and $2 differ"
}

# ---- one rank ----
C3D_CUDA_HOST_PROTECT=1 run lazy
says "host emulation of a GPU"
C3D_CUDA_HOST=random:3 run random
same lazy random
run cpu --set run.device=cpu
near lazy cpu 1e-6 1e-3
run bf16 --set model.precision=bf16
near bf16 cpu 0.01 0.02
C3D_CUDA_HOST_CUDNN_REFUSES=forward-epilogue,backward-x-epilogue,backward-w-float \
    run refused --set model.precision=bf16
near refused cpu 0.01 0.02

run timed --set model.autotune=true # of engines for float32 that repeat their bits there is one
same lazy timed
expect 0 "$C3D_BIN/cuda_host/c3d-evaluate" lazy --split validation --out scored
expect 0 "$train" "$config" --set run.dir=debug --debug
says "nothing wrong was found"

# more than 64 channels, in any order; convolutions in two
for network in cnn2d_stack c2plus1d; do
    other="--set model.network=$network --set data.month_order=shuffled --set data.augment.jitter=0.1"
    run $network $other
    run $network-cpu --set run.device=cpu $other
    near $network $network-cpu 1e-6 1e-3
done

# what the device could do is known, and how long it waited for inputs
awk -F'"peak_share": ' '{ n += $2 + 0 > 0 } END { exit n != NR }' bf16/steps.jsonl ||
    fail "steps.jsonl has no share of the peak"
sed 's/.*"copied_s": \([^,]*\),.*/\1/' lazy/steps.jsonl | awk '{ s += $1 } END { exit !(s > 0) }' ||
    fail "no time for inputs"

# ---- two ranks: a GPU each, or one for both ----
C3D_CUDA_HOST=random:5 run2 nccl
says "sums over 2 ranks: NCCL"
near nccl cpu 1e-6 1e-3
C3D_CUDA_HOST_DEVICES=1 run2 mpi
says "sums over 2 ranks: MPI, by way of the hosts' memory: ranks 0 and 1 share one GPU"
near mpi cpu 1e-6 1e-3
C3D_NCCL_SHARED_GPU=1 C3D_CUDA_HOST_DEVICES=1 run2 shared
says "several ranks on one GPU"
same nccl shared

# ---- the moments of Adam elsewhere ----
C3D_CUDA_HOST=random:9 run2 sharded --set optimizer.state=sharded
same nccl sharded
run2 replicated --set optimizer.state=replicated
same nccl replicated
C3D_CUDA_HOST_DEVICES=1 run2 way --set optimizer.state=sharded
same mpi way

# ---- stopped and resumed ----
run2 whole --set train.checkpoint_every_steps=1 --set train.keep_last=9
same nccl whole
cp -r whole resumed
C3D_CUDA_HOST=random:7 run2 resumed --set train.checkpoint_every_steps=1 --set train.keep_last=9 \
    --set optimizer.state=sharded --resume "$(ls resumed/checkpoints/*.safetensors | head -1)"
same whole resumed

# ---- what fails says so, and nobody is left waiting ----
C3D_CUDA_HOST_DEVICES=0 expect 4 "$train" "$config" --set run.dir=none --set run.device=cuda
says "run.device cuda: no GPU is seen by the driver (no CUDA-capable device is detected); use cpu"
C3D_CUDA_HOST_MEMORY=3000000 expect 2 "$train" "$config" --set run.dir=none --set run.device=cuda
says "no memory for"
says "less of train.micro_batch"
C3D_CUDA_HOST_FAIL=cudnnBackendExecute:9 expect 4 "$train" "$config" --set run.dir=none
says "cudnnBackendExecute"
C3D_CUDA_HOST_FAIL=cublasLtMatmul:4 expect 4 "$train" "$config" --set run.dir=none
says "cublasLtMatmul"
C3D_CUDA_HOST_NCCL_ERROR=1:2 expect 4 ranks 2 "$train" "$config" --set run.dir=none
says "the network is gone"
C3D_CUDA_HOST_NCCL_HANG=1:2 expect 4 ranks 2 "$train" "$config" --set run.dir=none \
    --set distributed.timeout_s=1
says "have come to a collective call that does not end for 1 s"
finish
