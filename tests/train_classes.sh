#!/usr/bin/env bash
# Three classes from samples.csv to the report: trained on two ranks, stopped and continued in
# mid-epoch, scored on one, two and three.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train evaluate=$C3D_BIN/c3d-evaluate
rm -rf store whole parts eval* other binary
cp -r "$C3D_TEST_STORE/store" store
"$C3D_TEST_BIN/relabel" store || fail "the store could not be given three classes"
cat > train.yaml <<YAML
data: {store: $PWD/store, readers: 1, allow_leaking_split: true}
model: {network: cnn2d, width: 8, fc: 32, dropout: 0.1}
train: {epochs: 12, global_batch: 16, micro_batch: 4, keep_last: 100}
evaluation: {best_by: val_f1}
distributed: {threads: 1}
YAML
config=train.yaml three="--set model.outputs=3"

expect 0 ranks 2 "$train" "$config" --set run.dir=whole $three
# 8 steps an epoch: stopped after 3 steps of the second epoch
expect 0 ranks 2 "$train" "$config" --set run.dir=parts $three --set train.max_steps=11
expect 0 ranks 2 "$train" "$config" --set run.dir=parts $three
says "step 11"
for file in checkpoints/step-00000096.safetensors best.safetensors; do
    "$C3D_TEST_BIN/compare_tensors" equal whole/$file parts/$file || fail "$file differs"
done
cmp <(cut -d, -f1-13 whole/metrics.csv) <(cut -d, -f1-13 parts/metrics.csv) \
    || fail "metrics.csv of the continued run differs"
cmp <(sed 's/, "seconds.*//' whole/steps.jsonl) <(sed 's/, "seconds.*//' parts/steps.jsonl) \
    || fail "steps.jsonl of the continued run differs"
head -c 8000 whole/best.safetensors | grep -aqF '[\"other\", \"mining\", \"class 2\"]' \
    || fail "the checkpoint does not name the classes"

for n in 1 2 3; do
    expect 0 ranks $n "$evaluate" whole --out eval$n
    says "2 class 2 "
done
for n in 2 3; do
    cmp eval1/evaluation-test.json eval$n/evaluation-test.json || fail "evaluation on $n ranks"
    cmp eval1/scores-test.csv eval$n/scores-test.csv || fail "scores on $n ranks"
done
head -1 eval1/scores-test.csv | grep -qx "sample_id,frame_id,first_month,label,score_0,score_1,score_2,block" \
    || fail "columns of scores-test.csv"
# every sample counted once, and the classes learnt: in a matrix of three rows, most on the diagonal
awk -F, 'NR > 1 {
        best = 5; for (i = 6; i <= 7; i++) if ($i > $best) best = i
        right += best - 5 == $4; seen[$4] = 1; sum = $5 + $6 + $7
        if (sum < 0.99999 || sum > 1.00001) bad = 1
    }
    END { print right " of " NR - 1; exit !(!bad && seen[0] && seen[1] && seen[2] && right > 0.75 * (NR - 1)) }' \
    eval1/scores-test.csv || fail "the three classes were not learnt, or scores have not the sum 1"
expect 2 "$evaluate" whole --threshold 0.5
says "--threshold"

# the same figures, computed by others from the scores
if [ -n "${C3D_PYTHON:-}" ]; then
    # early, when not all is right yet
    for step in 16 32; do
        expect 0 ranks 2 "$evaluate" whole --split validation --out eval2 \
            --checkpoint whole/checkpoints/step-000000$step.safetensors
        expect 0 "$C3D_PYTHON" "$C3D_SOURCE/tests/support/check_classes.py" whole eval2 $step
        says "agree"
    done
else
    echo "note: no Python with numpy (C3D_PYTHON), figures were not computed a second time"
fi

expect 0 "$evaluate" whole
expect 0 "$C3D_BIN/c3d-report" whole --out page.html
says "the class of the largest score"
grep -q '<th scope=col>as class 2</th>' page.html || fail "the report has no confusion matrix"
grep -q 'is above' page.html && fail "the report speaks of a threshold"

# labels that the network does not know: named with their line before anything is trained
line=$(awk -F, 'NR > 1 && $6 == 2 { print NR ": sample " $1; exit }' store/samples.csv)
expect 3 ranks 2 "$train" "$config" --set run.dir=binary --set model.outputs=1
says "store/samples.csv:$line has label 2; model.outputs 1 knows 0..1"
expect 3 "$train" "$config" --set run.dir=binary --set model.outputs=2
says "model.outputs 2 knows 0..1"
[ ! -e binary/steps.jsonl ] || fail "something was trained on unknown labels"
cp -r store other
sed -i '2s/^\([0-9]*,[0-9]*,[^,]*,[0-9]*,[0-9]*\),[0-9]*/\1,7/' other/samples.csv
expect 3 "$evaluate" whole --data other --split "$(sed -n 2p other/samples.csv | cut -d, -f7)"
says "other/samples.csv:2: sample"
says "has label 7; model.outputs 3 knows 0..2"
expect 3 "$train" "$config" --set run.dir=binary --set model.outputs=3 --set data.store=$PWD/other
says "other/samples.csv:2: sample"
# a class that nobody can learn, and classes of other names
expect 0 "$train" "$config" --set run.dir=binary --set model.outputs=4 --set train.max_steps=1
says "has label 3 (class 3)"
rm -r other && cp -r store other && sed -i 's/"mining"/"sand"/' other/dataset.json
expect 0 "$evaluate" whole --data other --out eval3
says "label 1 was mining, in the dataset it is sand"
finish
