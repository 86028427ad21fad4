#!/usr/bin/env bash
# c3d-evaluate --compare: runs, directories of seeds and scores made elsewhere; what is refused; the
# same files alone and on two ranks; figures of the files against each other.
. "$C3D_SOURCE/tests/support/check.sh"
evaluate=$C3D_BIN/c3d-evaluate
rm -rf runs out* bad joined

# scores DIR SKILL SEED [BLOCKS]: 240 samples in 24 blocks; with 0 there is no column block
scores() {
    mkdir -p "$1"
    awk -v skill="$2" -v seed="$3" -v blocks="${4:-1}" 'BEGIN {
        srand(seed)
        print "sample_id,frame_id,first_month,label,score" (blocks ? ",block" : "")
        for (i = 0; i < 240; i++) {
            label = i % 3 == 0
            z = skill * label + 3 * (rand() + rand() + rand() - 1.5)
            printf "%d,%d,2020-09,%d,%.6f%s\n", 1000 + i, i, label, 1 / (1 + exp(-z)),
                blocks ? "," int(i / 10) : ""
        }
    }' > "$1/scores-test.csv"
}
config() {
    cat > "$1/config.yaml" <<YAML
data: {store: $PWD/store, seed: $3}
model: {network: $2}
run: {dir: $1}
YAML
}
for seed in 1 2 3; do
    for network in c3d cnn2d; do
        dir=runs/$network/seed-$seed
        scores $dir "$([ $network = c3d ] && echo 4 || echo 1)" "$seed$([ $network = c3d ] && echo 0)"
        config $dir $network $seed
    done
done
cat > runs/c3d/seed-1/cost.json <<JSON
{"schema": 1, "parameters": 7800, "multiply_adds": 38500, "bytes_a_sample": 1440, "samples_seen": 5000, "device_hours": 0.25}
JSON
echo '{"schema": 2, "fold": 2, "checkpoint": "cafe", "list_hash": "beef", "precision": "fp32"}' > runs/c3d/seed-2/evaluation-test.json
echo '{"schema": 2, "fold": 3}' > runs/cnn2d/seed-2/evaluation-test.json
scores runs/forest 3.8 99 0
# its rows in another order
{ head -1 runs/forest/scores-test.csv; tail -n +2 runs/forest/scores-test.csv | sort -r; } > runs/forest/x
mv runs/forest/x runs/forest/scores-test.csv

expect 0 "$evaluate" --compare runs/c3d runs/cnn2d runs/forest --out out1
says "model.network  c3d  cnn2d  ?"
says "fold  2    3      ?"
says "forest: configuration not known"
grep -qE '^cnn2d +3 .*worse$' out.txt || fail "cnn2d is not called worse"
says "cnn2d (0."
grep -q '"warnings": \[\]' out1/comparison.json || fail "warnings without a reason"
tr -d ' \n' <out1/comparison.json >joined
for scored in '{"dir":"runs/c3d/seed-2","checkpoint":"cafe","list_hash":"beef","precision":"fp32"}' \
    '"scored":[{"dir":"runs/forest","checkpoint":null,"list_hash":null,"precision":null}]'; do
    grep -qF "$scored" joined || fail "comparison.json does not say which scores: $scored"
done
cmp out1/comparison.txt out.txt || fail "comparison.txt is not what was printed"
grep -q '^c3d,3,.*,7800,38500,1440,5000,0.25$' out1/comparison.csv || fail "costs in comparison.csv"
grep -q '^forest,1,' out1/comparison.csv || fail "forest in comparison.csv"
tr '\n' ' ' < out.txt | grep -qF "Trained once: forest." \
    || fail "one run of the forest is not mentioned"
# every auc of the csv is, rounded, in the table
awk -F, 'NR > 1 { printf "%.4f\n", $3 }' out1/comparison.csv | while read -r value; do
    grep -qF " $value (" out.txt || echo "$value"
done | grep . && fail "areas of comparison.csv are not in the table"

expect 0 ranks 2 "$evaluate" --compare runs/c3d runs/cnn2d runs/forest --out out2
for file in json csv txt; do
    cmp out1/comparison.$file out2/comparison.$file || fail "comparison.$file on two ranks"
done

# ---- the same seed twice: told, and the verdict is about these models
config runs/c3d/seed-2 c3d 1
expect 0 "$evaluate" --compare runs/c3d runs/cnn2d --out out3
says "Warning: runs/c3d/seed-1 and runs/c3d/seed-2: both have data.seed 1"
grep -q '"about": "trained models"' out3/comparison.json || fail "one seed twice counts as two trainings"
grep -q '"warnings": \[$' out3/comparison.json || fail "no warnings in comparison.json"
grep -q '"n_seeds": 2' out3/comparison.json || fail "seeds are not counted"
config runs/c3d/seed-2 c3d 2

# ---- a model made elsewhere says how it was made
echo '{"schema": 1, "trained": "random forest of 10 trees"}' > runs/forest/cost.json
expect 0 "$evaluate" --compare runs/c3d runs/forest --out out5
says "forest: no config.yaml; random forest of 10 trees"
tr '\n' ' ' < out.txt | grep -qF "as it says itself: forest (random forest of 10 trees)." || fail "the forest's words"
! grep -q "Not known here" out.txt || fail "the forest is described, and not known"
grep -q '"trained": "random forest of 10 trees"' out5/comparison.json || fail "no words in comparison.json"

# ---- refusals; tests/test_compare_runs.c has the others
mkdir -p bad/b
awk -F, -v OFS=, 'NR == 9 { $4 = 1 - $4 } 1' runs/c3d/seed-1/scores-test.csv > bad/b/scores-test.csv
expect 3 "$evaluate" --compare runs/c3d/seed-1 bad/b --out out4
says "bad/b/scores-test.csv:9: sample 1007 has label 1, in runs/c3d/seed-1/scores-test.csv:9 label 0"
# new scores beside an old JSON, as a disk that fills up in between leaves them
mkdir -p bad/c && cp runs/c3d/seed-1/scores-test.csv bad/c/
echo '{"schema": 2, "scores_hash": "0123456789abcdef"}' > bad/c/evaluation-test.json
expect 3 "$evaluate" --compare runs/cnn2d/seed-1 bad/c --out out4
says "bad/c/scores-test.csv: not the scores that evaluation-test.json beside it was made with"
ln -sfn seed-1 runs/c3d/latest
expect 2 "$evaluate" --compare runs/cnn2d runs/c3d --out out4
says "are one run, which would be counted twice; take the link away"
rm runs/c3d/latest
[ ! -e out4 ] || fail "a folder for a refused comparison"
expect 2 "$evaluate" --compare runs/cnn2d runs/c3d ./runs/c3d/ --out out4
says "runs/c3d/seed-1 and ./runs/c3d/seed-1 are one run"
expect 2 "$evaluate" --compare runs/cnn2d runs/cnn2d/seed-1 --out out4
says "runs/cnn2d/seed-1 and runs/cnn2d/seed-1 are one run"
expect 3 "$evaluate" --compare runs/c3d runs/nosuch --out out4
says "runs/nosuch: No such file or directory; give a run"
expect 2 "$evaluate" --compare runs/c3d --out out4
says "runs/c3d is compared with nothing"
expect 2 "$evaluate" --compare runs/c3d runs/cnn2d --out out4 --device cpu
says "--device: not with --compare"
expect 2 "$evaluate" runs/c3d runs/cnn2d
says "runs/cnn2d: a second MODEL"
finish
