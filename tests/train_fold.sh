#!/usr/bin/env bash
# Cross-validation: data.fold in training, resuming and evaluation.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf run cut store && cp -r "$C3D_TEST_STORE/store" store
expect 0 "$C3D_BIN/c3d-dataset" build "$C3D_TEST_STORE/dataset.yaml" --out store \
    --set data.root="$C3D_TEST_STORE/archive" --set data.folds=3
folded="--set data.store=$PWD/store --set train.max_steps=1 --set train.epochs=1"

expect 0 "$train" "$config" $folded --set data.fold=2
says "of 3 folds 2 is for test, 0 for validation"
grep -q "fold: 2" run/config.yaml || fail "config.yaml does not name the fold"
expect 2 "$train" "$config" $folded --set data.fold=1
says "data.fold"
expect 0 "$C3D_BIN/c3d-evaluate" run --checkpoint last
head -n 1 run/scores-validation.csv | grep -q ',score,block$' || fail "the validation split was not scored"
grep -q '"fold": 2' run/evaluation-test.json || fail "evaluation-test.json does not name the fold"
# sample_id, label of the fold, and of what was scored
cmp <(awk -F, '$7 != "none" && $8 == 2 {print $1, $6}' store/samples.csv) \
    <(awk -F, 'NR > 1 {print $1, $4}' run/scores-test.csv) || fail "other samples than fold 2"

# another list of the same dataset: its samples were trained on
expect 2 "$C3D_BIN/c3d-evaluate" run --checkpoint last --fold 1
says "samples of other folds were trained on"
expect 0 "$C3D_BIN/c3d-evaluate" run --checkpoint last --data store --fold -1 --out own
says "thresholds chosen by run/scores-validation.csv"
chosen() { grep '"threshold"' "$1/evaluation-test.json" | sed -n 2p; }
grep -q '"threshold": 0\.[0-9]' <<<"$(chosen run)" || fail "no threshold chosen on the validation split"
[ "$(chosen own)" = "$(chosen run)" ] || fail "another threshold by the same scores"
# scores that are not those of the JSON beside them, as a full disk or an editor leaves them
cp -r run cut && head -n -3 run/scores-validation.csv >cut/scores-validation.csv
expect 0 "$C3D_BIN/c3d-evaluate" cut --checkpoint last
! grep -q "thresholds chosen by" out.txt || fail "thresholds by scores that were cut"
[ "$(chosen cut)" = "$(chosen run)" ] || fail "another threshold after the scores were cut"
cmp <(awk -F, '$7 == "test" {print $1}' store/samples.csv) \
    <(awk -F, 'NR > 1 {print $1}' own/scores-test.csv) || fail "other samples than split test"
expect 3 "$C3D_BIN/c3d-evaluate" run --checkpoint last --data "$C3D_TEST_STORE/store"
says "have no folds"
says "--fold -1 takes the splits"
expect 3 "$train" --plan "$config" $folded --set data.fold=3
says "there are 3 folds"
expect 2 "$train" --plan "$config" $folded --set data.fold=3 --set data.folds=3
says "data.fold: 3, but data.folds is 3"
finish
