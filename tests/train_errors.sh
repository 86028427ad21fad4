#!/usr/bin/env bash
# What goes wrong ends in one clear message and the right exit code.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
train=$C3D_BIN/c3d-train
rm -rf wild file

touch file
expect 3 "$train" "$config" --set run.dir=file/run
says "file"
expect 2 "$train" no-such.yaml
says "no-such.yaml"
expect 2 "$train" "$config" --reusme never
says "did you mean --resume?"
expect 3 "$train" "$config" --set run.dir=none --set data.store=/no/such/store
says "/no/such/store"
expect 5 "$train" "$config" --set run.dir=wild --set optimizer.learning_rate=1000
says "not finite"
says "sample"
expect 3 "$C3D_BIN/c3d-evaluate" file
# splits that share pixels are refused unless one insists
sed -e 's/"overlapping_frames": 0/"overlapping_frames": 3/' "$C3D_TEST_STORE/store/dataset.json" >leaky.json
grep -q '"overlapping_frames": 3' leaky.json || fail "dataset.json has no leak facts"
rm -rf leaky && cp -r "$C3D_TEST_STORE/store" leaky && mv leaky.json leaky/dataset.json
expect 3 "$train" "$config" --set run.dir=leak --set data.store=leaky
says "3 frames overlap"
expect 0 "$train" "$config" --set run.dir=leak --set data.store=leaky --set train.max_steps=1 \
    --set data.allow_leaking_split=true
# no validation samples: trained on the training loss alone
rm -rf novalid && cp -r "$C3D_TEST_STORE/store" novalid && sed -i '/,validation,/d' novalid/samples.csv
expect 3 "$train" "$config" --set run.dir=novalid/run --set data.store=novalid --set train.epochs=1
says "samples.csv was changed"
expect 3 "$C3D_BIN/c3d-dataset" verify novalid
expect 0 "$train" "$config" --set run.dir=novalid/run --set data.store=novalid --set train.epochs=1 \
    --set data.allow_leaking_split=true
[ -e novalid/run/best.safetensors ] || fail "no best.safetensors without validation samples"
sed -i '/,train,/d' novalid/samples.csv
expect 3 "$train" "$config" --set run.dir=none --set data.store=novalid \
    --set data.allow_leaking_split=true
says "no sample is in split train"
# another dataset than trained on is scored only if one insists, other bands never
rm -rf other && cp -r "$C3D_TEST_STORE/store" other
expect 0 "$train" "$config" --set run.dir=run --set data.store=other --set train.max_steps=1
expect 3 "$C3D_BIN/c3d-evaluate" run
says "best.safetensors"
expect 0 "$C3D_BIN/c3d-evaluate" run --checkpoint last
sed -i 's/"hash": "[0-9a-f]*"/"hash": "0123456789abcdef"/' other/dataset.json
expect 3 "$C3D_BIN/c3d-evaluate" run --checkpoint last
says "which is now 0123456789abcdef"
expect 0 "$C3D_BIN/c3d-evaluate" run --checkpoint last --data other
sed -i 's/"blue"/"azul"/' other/dataset.json
expect 3 "$C3D_BIN/c3d-evaluate" run --checkpoint last --data other
says "blue, green, red, nir"
expect 0 "$train" --help
says "train.global_batch"
expect 0 "$train" --version
says "oneDNN"

# a disk that fills up while saving: what was saved before stays whole
mkdir -p small
if mount -t tmpfs -o size=5m tmpfs small 2>/dev/null; then
    expect 3 "$train" "$config" --set run.dir=small/run --set train.checkpoint_every_steps=1 \
        --set train.keep_last=100000
    says "No space left on device"
    kept=$(ls small/run/checkpoints/*.safetensors | wc -l)
    [ "$kept" -ge 1 ] || fail "no checkpoint was kept"
    for f in small/run/checkpoints/*.safetensors; do
        "$C3D_TEST_BIN/compare_tensors" equal "$f" "$f" >/dev/null || fail "$f is broken"
    done
    umount small
else
    echo "note: no right to mount a tmpfs, a full disk was not tried"
fi
finish
