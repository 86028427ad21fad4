#!/usr/bin/env bash
# Where the class shows only in the order of months, the 3D network must see it, and so must a 2D one
# that is given all months; its twin on one month must not, and neither the same 3D network when months
# come in any order. Where one month tells, both must. At least 400 samples each.
. "$C3D_SOURCE/tests/support/check.sh"
for kind in time_only one_frame; do
    rm -rf $kind
    expect 0 "$C3D_BIN/c3d-dataset" demo $kind/archive --kind $kind --seed 7
    cat > dataset.yaml <<YAML
data:
  root: $kind/archive
  mosaics: planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif
  labels: mapbiomas/brasil_coverage_{YYYY}.tif
  label_classes: {mining: 30}
  positive: mining
  frame_size_px: 16
  positive_share: 0.9
  negative_share: 0.1
  split: blocks
  block_km: 0.6115
  split_shares: [0.6, 0.15, 0.25]
YAML
    expect 0 "$C3D_BIN/c3d-dataset" build dataset.yaml --out $kind/store
    n=$(($(wc -l <$kind/store/samples.csv) - 1))
    [ "$n" -ge 400 ] || fail "$kind: $n samples, 400 wanted"
    networks="c3d cnn2d"
    [ $kind = one_frame ] || networks+=" shuffled cnn2d_stack"
    for name in $networks; do
        network=$name order=natural
        [ $name != shuffled ] || network=c3d order=shuffled
        cat > train.yaml <<YAML
data: {store: $kind/store, month_order: $order}
model: {network: $network, width: 8, fc: 64}
train: {epochs: 5, global_batch: 16, micro_batch: 8}
run: {dir: $kind/$name}
YAML
        expect 0 ranks 2 "$C3D_BIN/c3d-train" train.yaml
        expect 0 "$C3D_BIN/c3d-evaluate" $kind/$name
        auc=$(sed -n '/"auc"/,/}/s/.*"value": \([^,]*\),.*/\1/p' \
            $kind/$name/evaluation-test.json | head -1)
        echo "$kind $name: AUC $auc"
        case $kind-$name in
        time_only-cnn2d | time_only-shuffled) ok='a >= 0.4 && a <= 0.6' ;;
        *) ok='a > 0.95' ;;
        esac
        awk -v a="$auc" "BEGIN { exit !($ok) }" || fail "$kind $name: AUC $auc, wanted $ok"
    done
done
finish
