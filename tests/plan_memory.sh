#!/usr/bin/env bash
# What a run takes in memory is what was planned for: within 5 % from 1 GiB, else within 32 MiB.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
left=$(awk '/MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
[ "$left" -ge 6 ] || skip "$left GiB of memory are left, this needs 6"

# check NAME AT_LEAST_GIB COMMAND OPTIONS...
check() {
    local name=$1 least=$2
    shift 2
    rm -rf run
    expect 0 "$@" --set run.dir=run
    grep '^memory: ' out.txt | awk -v name="$name" -v least="$least" '
        { planned = $2; taken = $7; n++ }
        END {
            printf "%s: planned %.3f GiB, taken %.3f GiB\n", name, planned, taken
            off = planned > taken ? planned - taken : taken - planned
            exit !(n == 1 && taken >= least && off <= (taken >= 1 ? 0.05 * taken : 0.031))
        }' || fail "$name: $(grep '^memory: ' out.txt)"
}
train="$C3D_BIN/c3d-train $config --set train.epochs=1"
check small 0 $train
check two-ranks 0 ranks 2 $train
check cnn2d 0 $train --set model.network=cnn2d --set model.width=16 --set data.slice=median
few="--set data.max_per_class=16 --set train.global_batch=64 --set model.width=64"
few="$few --set evaluation.threads=2"
check weights 1 $train $few --set model.fc=4096 --set evaluation.batch=4
check activations 1 $train $few --set model.fc=64 --set train.micro_batch=64
check evaluation 1 $train $few --set model.fc=64 --set evaluation.batch=256
if "$C3D_BIN/c3d-train" "$config" --plan --set model.precision=bf16 >/dev/null 2>&1; then
    check bf16 1 $train $few --set model.fc=2560 --set train.micro_batch=64 \
        --set model.precision=bf16
fi
finish
