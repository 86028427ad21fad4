#!/usr/bin/env bash
# Several ranks on GPUs, on the host (tests/cuda_host): by NCCL, by way of the hosts' memory, on one
# GPU; and an error that NCCL finds while training.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train="$C3D_BIN/cuda_host/c3d-train $config --set run.device=cuda --set train.max_steps=3"
rm -rf own way shared lost ordered*

expect 0 ranks 2 $train --set run.dir=own
says "sums over 2 ranks: NCCL"
sed 's/.*"comm_s": \([^,]*\), .*/\1/' own/steps.jsonl | awk '{ s += $1 } END { exit !(s > 0) }' ||
    fail "NCCL takes no time"
C3D_CUDA_HOST_DEVICES=1 expect 0 ranks 2 $train --set run.dir=way
says "ranks 0 and 1 share one GPU"
C3D_CUDA_HOST_DEVICES=1 C3D_NCCL_SHARED_GPU=1 expect 0 ranks 2 $train --set run.dir=shared
says "several ranks on one GPU"

# a sum of two numbers has no order
loss() { sed 's/.*"loss": \([^,]*\),.*/\1/' "$1/steps.jsonl"; }
[ "$(loss own | wc -l)" = 3 ] || fail "3 steps expected"
[ "$(loss own)" = "$(loss way)" ] || fail "NCCL and MPI train differently"
[ "$(loss own)" = "$(loss shared)" ] || fail "one GPU and two train differently"

# sums in one order, with loss scaling: the same parameters on 1, 2 and 4 GPUs, and by way of the hosts
ordered="--set distributed.reduction=ordered --set model.precision=fp16 --set train.micro_batch=2
    --set optimizer.clip_norm=0.4 --set distributed.bucket_mb=0.02 --set data.max_per_class=11"
same() {
    "$C3D_TEST_BIN/compare_tensors" equal ordered1/checkpoints/step-00000003.safetensors \
        "$1/checkpoints/step-00000003.safetensors" || fail "ordered1 and $1 differ"
}
expect 0 ranks 1 $train $ordered --set run.dir=ordered1
for n in 2 4; do
    C3D_CUDA_HOST_DEVICES=4 expect 0 ranks $n $train $ordered --set run.dir=ordered$n --set optimizer.state=sharded
    says "sums over $n ranks: NCCL"
    same ordered$n
done
C3D_CUDA_HOST_DEVICES=1 expect 0 ranks 2 $train $ordered --set run.dir=ordered_way
says "ranks 0 and 1 share one GPU"
same ordered_way

C3D_CUDA_HOST_NCCL_ERROR=1:5 expect 4 ranks 2 $train --set run.dir=lost
says "remote process exited or there was a network error"
finish
