#!/usr/bin/env bash
# Real pixels from YAML alone: Forest against the rest on held-out blocks of Sinop, over 0.9 accuracy.
. "$C3D_SOURCE/tests/support/check.sh"
data=$C3D_SHARED_DATA/sits_sinop_modis
[ -d "$data" ] || skip "no $data"
rm -rf store run
expect 0 ranks 2 "$C3D_BIN/c3d-dataset" build "$C3D_SOURCE/configs/dataset-sinop.yaml" \
    --set data.root="$data" --out store
n=$(grep -c ',test,' store/samples.csv)
[ "$n" -ge 200 ] || fail "$n test samples, at least 200 wanted"
expect 0 ranks 2 "$C3D_BIN/c3d-train" "$C3D_SOURCE/configs/sinop-3d.yaml" \
    --set data.store=store --set run.dir=run
expect 0 "$C3D_BIN/c3d-evaluate" run --split test
cat out.txt
awk '/^above 0.5 / { a = $3 } END { exit !(a > 0.9) }' out.txt || fail "accuracy at 0.5 is not over 0.9"
finish
