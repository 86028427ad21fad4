#!/usr/bin/env bash
# c3d-train --debug as a user runs it: report, exit codes, nothing written.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf sound still

expect 0 "$train" --debug "$config" --set run.dir=sound --set optimizer.learning_rate=0.003 \
    --set model.dropout=0
says "conv5b"
says "equal to rounding"
says "the network can learn"
says "nothing wrong was found"
[ ! -e sound ] || fail "--debug made the run's directory"
# a network that cannot learn: exit 5, the reason last
expect 5 "$train" --debug "$config" --set run.dir=still --set optimizer.learning_rate=1e-12
says "does not go to zero"
# the parameters of a checkpoint instead of those of the start
expect 0 "$train" "$config" --set run.dir=sound --set train.max_steps=2
expect 0 "$train" --debug "$config" --set run.dir=other \
    --resume sound/checkpoints/step-00000002.safetensors
says "parameters of sound/checkpoints/step-00000002.safetensors"
# and those that a run would begin with
expect 0 "$train" --debug "$config" --set run.dir=other --set model.init_from=sound/checkpoints/step-00000002.safetensors
says "parameters of sound/checkpoints/step-00000002.safetensors"
expect 2 "$train" --debug "$config" --set run.dir=other --set model.width=8 \
    --set model.init_from=sound/checkpoints/step-00000002.safetensors
says "conv1.weight"
cp sound/checkpoints/step-00000002.safetensors bad.safetensors
printf xxxx | dd of=bad.safetensors bs=1 seek=$(($(stat -c %s bad.safetensors) - 400)) conv=notrunc \
    status=none
expect 3 "$train" --debug "$config" --set run.dir=other --resume bad.safetensors
says "checksum"
expect 3 "$train" --debug "$config" --set run.dir=other --resume sound
says "is a directory"
expect 2 "$train" --debug --plan "$config"
expect 3 "$train" --debug "$config" --set run.dir=other --resume no/such.safetensors
says "no/such.safetensors"
# a batch of many classes stays small
expect 0 "$train" --debug "$config" --set run.dir=other --set model.outputs=1000 \
    --set model.network=cnn2d --set model.dropout=0 --set optimizer.learning_rate=0.003
[ "$(grep -F "samples (label)" out.txt | grep -o '([01])' | wc -l)" = 16 ] || fail "not 16 samples of many classes"
expect 2 ranks 2 "$train" --debug "$config" --set run.dir=other
says "without mpirun"
finish
