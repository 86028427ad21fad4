#!/usr/bin/env bash
# Batch normalisation in a run: running statistics do not depend on the number of ranks, survive a
# stop in mid-epoch, and go where parameters go. And tcnn, trained and scored.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
compare=$C3D_TEST_BIN/compare_tensors
last() { ls "$1"/checkpoints/*.safetensors | tail -1; }
rm -rf first* whole stopped eval* from pixel one
norm="--set model.normalization=batch --set train.max_steps"

# After one step from the same parameters: the same bytes, whoever had which micro-batch.
for n in 1 2 3; do
    expect 0 ranks $n "$train" "$config" --set run.dir=first$n $norm=1
done
for layer in 1 2 3a 3b 4a 4b 5a 5b; do
    for n in 2 3; do
        "$compare" near "$(last first1)" "$(last first$n)" bn$layer.running_ 0 >out.txt \
            || { fail "running statistics of bn$layer on 1 and $n ranks"; cat out.txt; }
    done
done
"$compare" near "$(last first1)" "$(last first2)" adam.m/ $((16 * 16 * 256)) \
    || fail "first gradients of 1 and 2 ranks differ"

# 8 steps in one go, and stopped after 3 in mid-epoch: one is an undisturbed run of the other.
expect 0 ranks 2 "$train" "$config" --set run.dir=whole $norm=8
says "bn5b"
expect 0 ranks 2 "$train" "$config" --set run.dir=stopped $norm=3
expect 0 ranks 2 "$train" "$config" --set run.dir=stopped $norm=8
says "resumed from"
"$compare" equal "$(last whole)" "$(last stopped)" || fail "the stopped run differs"
"$compare" equal whole/best.safetensors stopped/best.safetensors || fail "their best files differ"
if "$compare" near "$(last whole)" "$(last first2)" bn1.running_ 0 >out.txt 2>&1; then
    fail "running statistics do not move"
fi
expect 2 "$train" "$config" --set run.dir=whole --set train.max_steps=8
says "model.normalization: batch -> none"

# The best file has what scores need: validation says again what it said while training.
for n in 1 2 3; do
    expect 0 ranks $n "$C3D_BIN/c3d-evaluate" whole --out eval$n --split validation
done
for n in 2 3; do
    cmp eval1/evaluation-validation.json eval$n/evaluation-validation.json || fail "on $n ranks"
    cmp eval1/scores-validation.csv eval$n/scores-validation.csv || fail "scores on $n ranks"
done
[ "$(tail -n +2 whole/metrics.csv | wc -l)" = 1 ] || fail "one finished epoch expected"
f1=$(tail -1 whole/metrics.csv | cut -d, -f11)
f1_again=$(grep -A1 '"f1"' eval1/evaluation-validation.json | sed -n 's/.*"value": \([^,]*\),.*/\1/p' | head -1)
[ "$(printf %.9g "$f1")" = "$(printf %.9g "$f1_again")" ] \
    || fail "validation F1 $f1 while training, $f1_again afterwards"
# a new run may start from it, running statistics included
expect 0 "$train" "$config" --set run.dir=from $norm=1 --set model.init_from="$PWD/whole" \
    --set optimizer.learning_rate=0
expect 2 "$train" "$config" --set run.dir=none --set model.init_from="$PWD/whole"
says "bn1"

# tcnn: months alone
expect 0 ranks 2 "$train" "$config" --set run.dir=pixel --set model.network=tcnn --set train.epochs=1
expect 0 ranks 2 "$C3D_BIN/c3d-evaluate" pixel --split test
says "accuracy"
# one value a channel: nothing could be learnt
expect 2 "$train" "$config" --set run.dir=one --set model.network=cnn2d --set model.normalization=batch \
    --set train.micro_batch=1
says "train.micro_batch"
finish
