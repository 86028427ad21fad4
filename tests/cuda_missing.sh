#!/usr/bin/env bash
# Where no GPU can be used run.device: cuda ends with one line that says so and what to do, before
# anything is written, in a build with CUDA and in one without; auto takes the CPU. --version names
# what the program was built with and what it runs with.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
# a GPU that is here stays out of sight
export CUDA_VISIBLE_DEVICES=
rm -rf run

matches() { grep -qE -- "$1" out.txt || { fail "no line like: $1"; cat out.txt; }; }
# A refusal, said once, by whoever comes first.
refuses() {
    says "run.device cuda: $reason"
    says "use cpu"
    [ "$(grep -c 'run.device cuda' out.txt)" = 1 ] || { fail "not said once"; cat out.txt; }
}

expect 0 "$train" --version
if [ "$C3D_HAS_CUDA" = TRUE ]; then
    matches ', CUDA [0-9]+\.[0-9]+, cuDNN 9\.[0-9.]+, NCCL 2\.[0-9.]+$'
    matches '^found at run time: CUDA [0-9]+\.[0-9]+, cuDNN 9\.[0-9.]+, .*driver.*, NCCL 2\.[0-9.]+$'
    reason="no GPU"
else
    matches ', no CUDA$'
    reason="this build has no CUDA"
fi

expect 4 "$train" "$config" --set run.dir=run --set run.device=cuda
refuses
[ "$(grep -c . out.txt)" = 1 ] || { fail "more than one line"; cat out.txt; }
[ ! -e run/checkpoints ] && [ ! -e run/metrics.csv ] || fail "run: written although there is no GPU"
expect 4 ranks 2 "$train" "$config" --set run.dir=run --set run.device=cuda
refuses
expect 4 "$train" "$config" --debug --set run.device=cuda
refuses

expect 0 "$train" "$config" --set run.dir=run --set run.device=auto --set train.max_steps=1
says "device: oneDNN"
finish
