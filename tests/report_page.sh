#!/usr/bin/env bash
# The report of two networks that were really trained, scored and compared, opened in Chromium:
# nothing on the console, nothing asked for, every figure and picture there, legible in 1280 and
# 390 px, light and dark (tests/support/browser.py). Without Chromium it is still made and read.
. "$C3D_SOURCE/tests/support/check.sh"
rm -rf archive store a b b2 compared page.html
expect 0 "$C3D_BIN/c3d-dataset" demo archive --kind one_frame --size tiny --seed 5
expect 0 "$C3D_BIN/c3d-dataset" build "$C3D_SOURCE/tests/data-configs/one-frame.yaml" --out store
for run in a b; do
    network=$([ $run = a ] && echo c3d || echo cnn2d)
    cat >train.yaml <<YAML
data: {store: store}
model: {network: $network, width: 2, fc: 8}
train: {epochs: 2, global_batch: 16, micro_batch: 16}
evaluation: {threshold: 0.5}
run: {dir: $run}
YAML
    expect 0 "$C3D_BIN/c3d-train" train.yaml
    expect 0 "$C3D_BIN/c3d-evaluate" $run --split validation
    expect 0 "$C3D_BIN/c3d-evaluate" $run --split test
    says "AUC  "
    grep -q nan out.txt && fail "nan where a figure is undefined"
    if awk -F, 'NR > 1 { n++; p += $4 == 1; r += ($5 > 0.5) == $4 } END { exit !(r <= p || r <= n - p) }' \
        $run/scores-test.csv; then
        says "than that of calling everything"
    elif grep -q "calling everything" out.txt; then
        fail "$run beats the largest class"
    fi
done
expect 0 "$C3D_BIN/c3d-evaluate" --compare a b --out compared
grep -q '"warnings": \[\]' compared/comparison.json || fail "warnings of runs just scored"
expect 0 "$C3D_BIN/c3d-report" a b --comparison compared --out page.html
for section in outcome comparison scores training pictures data cost configuration; do
    grep -q "<section id=$section>" page.html || fail "no section $section"
done
for words in 'ROC curve' 'Precision and recall' 'Calibration' 'Map of the splits' 'By year' \
    'Threshold chosen on the validation split' 'samples a second' 'CC0 1.0' \
    "$(sed -n 's/.*"paragraph": "\(.\{60\}\).*/\1/p' compared/comparison.json)"; do
    [ -n "$words" ] && grep -qF -- "$words" page.html || fail "the page has no: $words"
done
# the first miss that is shown is the surest of the first network; none of any network is uncounted
misses=$(paste -d, a/scores-test.csv b/scores-test.csv | awk -F, '$4 == 1 && ($5 <= 0.5 || $(NF / 2 + 5) <= 0.5)' | wc -l)
grep -qF "<p class=note>$misses positive samples that some network did not call so" page.html ||
    fail "not $misses misses"
worst=$(awk -F, '$4 == 1 && $5 <= 0.5 { print $5, $2 }' a/scores-test.csv | sort -g | awk 'NR == 1 { print $2 }')
if [ -n "$worst" ]; then
    grep -m1 -o '<b>frame [0-9]*</b>' page.html | grep -qF "<b>frame $worst</b>" || fail "not first: frame $worst"
fi
grep -qE '(src|href)=["'\'']?(https?:|//)|@import|url\(["'\'']?(https?:|//)' page.html &&
    fail "the page reaches for the network"
[ "$(wc -c <page.html)" -lt 6000000 ] || fail "larger than 6 MB"
cp page.html first.html
expect 0 "$C3D_BIN/c3d-report" a b --comparison compared --out page.html
cmp -s first.html page.html || fail "the same files give another page"
# scored again since it was compared; then the run goes on from what was scored
grep -q "class=warn>[^<]*scores" page.html && fail "a warning of runs just scored and compared"
cp -r b b2
expect 0 "$C3D_BIN/c3d-evaluate" b --split test --checkpoint last
expect 0 "$C3D_BIN/c3d-report" a b --comparison compared --out again.html
if ! cmp -s b/evaluation-test.json b2/evaluation-test.json; then
    grep -qF 'b: the comparison is of other scores than these' again.html || fail "an old comparison is not told"
fi
sed 's/epochs: 2/epochs: 3/' train.yaml >more.yaml
expect 0 "$C3D_BIN/c3d-train" more.yaml --resume auto
expect 0 "$C3D_BIN/c3d-report" a b --out again.html
grep -qF 'b: its test scores are of step' again.html || fail "old scores of a run that went on are not told"
expect 0 "$C3D_BIN/c3d-evaluate" b --split test
expect 0 "$C3D_BIN/c3d-evaluate" b --split validation
expect 0 "$C3D_BIN/c3d-report" a b --out again.html
grep -qF 'b: its ' again.html && fail "a warning of scores by the best checkpoint"
[ "$failures" = 0 ] || finish
python3 "$C3D_SOURCE/tests/support/browser.py" page.html
status=$?
[ $status = 77 ] && skip "no Chromium; the page itself is as expected"
[ $status = 0 ] || fail "Chromium finds fault with page.html"
finish
