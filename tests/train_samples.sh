#!/usr/bin/env bash
# What training shows and how it weighs it: each option of this kind by itself and all together.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf balanced1 balanced2
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
finish
