#!/usr/bin/env bash
# What training shows and how it weighs it: each option of this kind by itself and all together.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf balanced1 balanced2 plain weighted focal zero twice changed
balanced="--set data.sampling=balanced"

# the same samples on 1 and 2 ranks, and as many of each class in every epoch
for n in 1 2; do
    expect 0 ranks $n "$train" "$config" --set run.dir=balanced$n --set run.log_samples=true \
        --set train.epochs=2 $balanced
done
cmp balanced1/samples.jsonl balanced2/samples.jsonl || fail "2 ranks saw other samples than 1"
counts=$(awk -F, 'NR == FNR { label[$1] = $6; next }
    { gsub(/.*\[|\].*/, ""); n = split($0, id, ", *"); for (i = 1; i <= n; i++) seen[label[id[i]]]++ }
    END { print seen[0] + 0, seen[1] + 0, seen[0] - seen[1] }' \
    "$C3D_TEST_STORE/store/samples.csv" balanced1/samples.jsonl)
set -- $counts
[ "$1" -gt 50 ] && [ "$3" -ge -2 ] && [ "$3" -le 2 ] || fail "classes were seen $1 and $2 times"

# Nothing is learnt at a rate of 0, so what evaluation sees is what a run without options sees: the
# weights of the training loss are not in it, gamma is.
still="--set optimizer.learning_rate=0 --set train.epochs=1"
expect 0 "$train" "$config" --set run.dir=plain $still
expect 0 "$train" "$config" --set run.dir=weighted $still --set train.class_weights=balanced
expect 0 "$train" "$config" --set run.dir=focal $still --set train.loss=focal
expect 0 "$train" "$config" --set run.dir=zero $still --set train.loss=focal --set train.focal_gamma=0
column() { tail -1 "$1/metrics.csv" | cut -d, -f"$2"; }
[ "$(column plain 7-12)" = "$(column weighted 7-12)" ] || fail "weights reached evaluation"
[ "$(column plain 3)" != "$(column weighted 3)" ] || fail "weights did not reach the training loss"
[ "$(column plain 3-12)" = "$(column zero 3-12)" ] || fail "gamma 0 is not the cross entropy"
[ "$(column plain 8-12)" = "$(column focal 8-12)" ] || fail "the loss changed the scores"
[ "$(column plain 3)" != "$(column focal 3)" ] || fail "gamma did not reach the training loss"
[ "$(column plain 7)" != "$(column focal 7)" ] || fail "gamma did not reach the validation loss"
expect 0 "$C3D_BIN/c3d-evaluate" focal --out focal_scores --split validation
grep -A1 '"loss"' focal_scores/evaluation-validation.json | grep -q "$(column focal 7 | cut -c1-6)" ||
    fail "c3d-evaluate reports another loss than training did"
changed="--set data.augment.jitter=0.5 --set data.augment.month_dropout=0.5 --set data.augment.symmetry=true"
expect 0 "$train" "$config" --set run.dir=changed $still $changed
[ "$(column plain 7-12)" = "$(column changed 7-12)" ] || fail "augmentation reached evaluation"
[ "$(column plain 3)" != "$(column changed 3)" ] || fail "augmentation did not reach training"
expect 0 "$train" "$config" --set run.dir=twice $still --set train.class_weights=balanced $balanced
says "one of them is enough"
expect 2 "$train" "$config" --set run.dir=none --set train.focal_gamma=1
says "but train.loss is cross_entropy"
finish
