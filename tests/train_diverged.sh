#!/usr/bin/env bash
# A run that diverges names the samples and frames it happened in, and those only.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf archive store wild planted* checked

# a rate that makes parameters, and with them losses, useless: samples are named whatever is to blame
expect 5 ranks 2 "$train" "$config" --set run.dir=wild --set optimizer.learning_rate=1000
says "is not finite, of sample"
grep -Eq '[0-9]+ \(frame [0-9]+\)' out.txt || fail "no sample with its frame: $(cat out.txt)"
says "a smaller optimizer.learning_rate"

# months of the same archive as float, with one infinite pixel planted
for from in "$C3D_TEST_STORE"/archive/planet*_2020-1[012]_mosaic/*.tif; do
    to=archive/${from#"$C3D_TEST_STORE/archive/"}
    mkdir -p "$(dirname "$to")"
    gdal_translate -q -ot Float32 "$from" "$to" || fail "gdal_translate $from"
done
cp -r "$C3D_TEST_STORE/archive/mapbiomas" archive/
expect 0 "$C3D_BIN/c3d-dataset" build "$C3D_TEST_STORE/dataset.yaml" --set data.root=archive --out store
expect 0 "$train" "$config" --set run.dir=checked --set data.store=store --set train.epochs=1
read -r sample frame < <(awk -F, '$0 ~ /,train,/ && ++n == 50 { print $1, $2 }' store/samples.csv)
"$C3D_TEST_BIN/plant_infinity" store/scenes-*.h5 "$frame" || fail "nothing was planted"
for n in 1 2; do
    expect 5 ranks $n "$train" "$config" --set run.dir=planted$n --set data.store=store \
        --set train.epochs=1 --set train.checkpoint_every_steps=1
    says "is not finite, of sample $sample (frame $frame, has pixels that are not finite); nothing"
done
# what was saved before is whole, and resuming meets the same sample
for f in planted2/checkpoints/*; do
    "$C3D_TEST_BIN/compare_tensors" equal "$f" "$f" >/dev/null || fail "$f is broken"
done
expect 5 ranks 2 "$train" "$config" --set run.dir=planted2 --set data.store=store \
    --set train.epochs=1 --set train.checkpoint_every_steps=1
says "of sample $sample (frame $frame, has"
finish
