#!/usr/bin/env bash
# Networks and controls that see a sample's months in their own way: all as channels, in two steps, one
# after the other with scores averaged, in any order; and a width that matches another network's size.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train evaluate=$C3D_BIN/c3d-evaluate
rm -rf every shuffled still* stack parts flat monthly single from none eval*
brief="--set train.epochs=1"

# every: the mean over months of what each month alone is given, as a dataset of single months says
every="--set model.network=cnn2d --set data.slice=every --set model.match_parameters=c3d"
expect 0 ranks 2 "$train" "$config" --set run.dir=every $brief $every
says "model.match_parameters: c3d has 109421 parameters at model.width 4; cnn2d has 112004 (+2.36 %) at width 7"
expect 0 "$evaluate" every
expect 0 "$C3D_BIN/c3d-dataset" build "$C3D_TEST_STORE/dataset.yaml" --out monthly \
    --set data.root="$C3D_TEST_STORE/archive" --set data.samples=monthly
expect 0 "$evaluate" every --data monthly --out single
awk -F, 'FNR == 1 { next }
    NR == FNR { sum[$2] += $5; n[$2]++; next }
    { n_frames++; d = $5 - sum[$2] / n[$2]; if (n[$2] != 16 || d > 2e-7 || d < -2e-7) n_off++
      else if ($5 > 0.01 && $5 < 0.99) n_inside++ }
    END { exit !(n_frames > 50 && n_off == 0 && n_inside > 10) }' single/scores-test.csv every/scores-test.csv ||
    fail "scores are no means over months"
loss_of() { sed -n '/"loss"/,/}/s/.*"value": \([^,]*\),.*/\1/p' "$1/evaluation-test.json" | head -1; }
awk -v a="$(loss_of single)" -v b="$(loss_of every)" 'BEGIN { exit !(a > 0 && (a - b) ^ 2 < 1e-12) }' ||
    fail "the mean loss is $(loss_of every), of single months $(loss_of single)"
validation=$(tail -1 every/metrics.csv | cut -d, -f7-12)
expect 0 "$train" "$config" --set run.dir=every $every --set train.epochs=2
says "step 8"
[ "$(sed -n 2p every/metrics.csv | cut -d, -f7-12)" = "$validation" ] || fail "another first epoch"
expect 2 "$train" "$config" --set run.dir=every ${every/=c3d/=tcnn}
says "model.match_parameters: c3d -> tcnn"
expect 2 "$train" "$config" --set run.dir=every ${every/=every/=random}
says "data.slice: every -> random"
expect 0 "$train" --plan "$config" $every
says "cnn2d has 112004 (+2.36 %) at width 7"
# of 7 filters, so not for the width that was given
expect 2 "$train" "$config" --set run.dir=none --set model.network=cnn2d --set model.init_from=every
says "conv1.weight is float32 [7, 4, 3, 3], this network's is float32 [4, 4, 3, 3]"
expect 0 "$train" "$config" --set run.dir=from $brief $every --set model.init_from=every

# the order of months: another loss, in training and scoring, on any number of ranks the same
still="--set optimizer.learning_rate=0 $brief"
order="--set data.month_order=shuffled"
expect 0 "$train" "$config" --set run.dir=still $still
for n in 1 2; do expect 0 ranks $n "$train" "$config" --set run.dir=still$n $still $order; done
column() { tail -1 "$1/metrics.csv" | cut -d, -f"$2"; }
for k in 3 7; do [ "$(column still $k)" != "$(column still1 $k)" ] || fail "column $k: no other order"; done
[ "$(column still1 7-12)" = "$(column still2 7-12)" ] || fail "another order on 2 ranks"
expect 0 "$evaluate" still1 --split validation --out eval1
expect 0 ranks 3 "$evaluate" still2 --split validation --out eval3
cmp eval1/scores-validation.csv eval3/scores-validation.csv || fail "scores on 3 ranks"
expect 2 "$train" "$config" --set run.dir=none $order --set model.network=cnn2d
says "shuffled, but cnn2d sees one month only"
expect 2 "$train" "$config" --set run.dir=still1 $still
says "data.month_order: shuffled -> natural"

# 16 months of 4 bands are 64 channels
stack="--set model.network=cnn2d_stack"
expect 0 ranks 2 "$train" "$config" --set run.dir=stack $brief $stack $order \
    --set data.augment.jitter=0.1 --set data.augment.month_dropout=0.1 --set model.normalization=batch
says "input      [64, 1, 16, 16]"
expect 0 ranks 3 "$evaluate" stack
expect 0 "$train" --debug "$config" $stack $order --set model.dropout=0 --set optimizer.learning_rate=0.003
says "nothing wrong was found"

parts="--set model.network=c2plus1d"
expect 0 ranks 2 "$train" "$config" --set run.dir=parts $brief $parts
expect 0 "$evaluate" parts
expect 0 "$train" --debug "$config" $parts --set model.dropout=0 --set optimizer.learning_rate=0.003
says "nothing wrong was found"
expect 0 "$train" "$config" --set run.dir=parts $parts --set train.epochs=2
expect 2 "$train" "$config" --set run.dir=none --set model.init_from=parts
says "has a tensor conv1_s.weight, this network none"
finish
