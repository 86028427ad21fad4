#!/usr/bin/env bash
# Checkpoints written beside training: which are kept, a write that does not come to its end, one
# that is killed, one that fails; how long they took, and whether a signal leaves enough time.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf ./*/
kept() { echo $(cd "$1/checkpoints" && ls | sed 's/step-0*//; s/\..*//'); }
whole_file() { "$C3D_TEST_BIN/compare_tensors" equal "$1" "$1" >/dev/null || fail "$1 is broken"; }
# plant KIND DIR STEP: where a checkpoint is written there is already a pipe that nobody reads, or a
# device that is full
plant() {
    local part
    mkdir -p "$2/checkpoints"
    part=$2/checkpoints/step-000000$3.safetensors.part
    if [ "$1" = pipe ]; then mkfifo "$part"; else ln -s /dev/full "$part"; fi
}

# by steps and at the end of epochs (of 8 steps); the last two, and that of every second epoch
expect 0 env C3D_SIGNAL_LEAD_S=0.0001 "$train" "$config" --set run.dir=whole --set train.keep_last=2 \
    --set train.keep_every=2 --set train.checkpoint_every_steps=3
[ "$(kept whole)" = "16 21 24" ] || fail "kept: $(kept whole); expected 16 21 24"
says "checkpoint of step 3: "
grep -Eq "^[0-9]+ checkpoints up to step 24: .* MiB each, copied in .* s at most, written in" out.txt ||
    fail "not all checkpoints were counted: $(grep checkpoint out.txt)"
[ "$(grep -c "told to stop 0.0001 s before its end" out.txt)" = 1 ] ||
    fail "one warning of too short a time expected"

# training goes on while the checkpoint of step 16 is being written, and is killed then
plant pipe beside 16
mkdir -p beside/checkpoints && echo half >beside/checkpoints/step-00000005.safetensors.part
C3D_SIGNAL_LEAD_S=100000 "$train" "$config" --set run.dir=beside >beside.txt 2>&1 &
pid=$!
for _ in $(seq 1000); do
    grep -q "epoch 3/3" beside/log.txt 2>/dev/null && break
    sleep 0.05
done
grep -q "epoch 3/3" beside/log.txt || fail "training did not go on while a checkpoint was written"
[ "$(kept beside)" = "8 16" ] || fail "there is $(kept beside); expected 8, and 16 unfinished"
[ -p beside/checkpoints/step-00000016.safetensors.part ] || fail "the pipe is gone"
kill -9 $pid
wait $pid 2>/dev/null
! grep -q "told to stop" beside.txt || fail "warned of a time that is long enough"
rm beside/checkpoints/step-00000016.safetensors.part
expect 0 "$train" "$config" --set run.dir=beside
says "step-00000008.safetensors: epoch 2 of 3"
says "best.safetensors.aside" # it was of step 16
"$C3D_TEST_BIN/compare_tensors" equal whole/checkpoints/step-00000024.safetensors \
    beside/checkpoints/step-00000024.safetensors || fail "the killed run ended elsewhere"
cmp <(cut -d, -f1-13 whole/metrics.csv) <(cut -d, -f1-13 beside/metrics.csv) || fail "metrics differ"
[ "$(kept beside)" = "16 24" ] || fail "kept after the kill: $(kept beside); expected 16 24"

# no space: all ranks end, and what was saved before is whole
plant full full 04
expect 3 ranks 2 "$train" "$config" --set run.dir=full --set train.checkpoint_every_steps=2
says "full/checkpoints/step-00000004.safetensors: "
says " bytes of "
says "No space left on device"
says "saving a checkpoint; those saved before are whole"
[ "$(kept full)" = "2" ] || fail "there is $(kept full), expected 2"
whole_file full/checkpoints/step-00000002.safetensors
finish
