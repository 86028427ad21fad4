#!/usr/bin/env bash
# Several ranks on GPUs, on the host (tests/cuda_host): by NCCL, by way of the hosts' memory, on one
# GPU; and an error that NCCL finds while training.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train="$C3D_BIN/cuda_host/c3d-train $config --set run.device=cuda --set train.max_steps=3"
rm -rf own way shared lost

expect 0 ranks 2 $train --set run.dir=own
says "sums over 2 ranks: NCCL"
C3D_CUDA_HOST_DEVICES=1 expect 0 ranks 2 $train --set run.dir=way
says "ranks 0 and 1 share one GPU"
C3D_CUDA_HOST_DEVICES=1 C3D_NCCL_SHARED_GPU=1 expect 0 ranks 2 $train --set run.dir=shared
says "several ranks on one GPU"

# a sum of two numbers has no order
loss() { sed 's/.*"loss": \([^,]*\),.*/\1/' "$1/steps.jsonl"; }
[ "$(loss own | wc -l)" = 3 ] || fail "3 steps expected"
[ "$(loss own)" = "$(loss way)" ] || fail "NCCL and MPI train differently"
[ "$(loss own)" = "$(loss shared)" ] || fail "one GPU and two train differently"

C3D_CUDA_HOST_NCCL_ERROR=1:5 expect 4 ranks 2 $train --set run.dir=lost
says "remote process exited or there was a network error"
finish
