#!/usr/bin/env bash
# Other people's readers open what we write: h5py a shard, safetensors a checkpoint, GDAL the rest.
. "$C3D_SOURCE/tests/support/check.sh"
. "$C3D_SOURCE/tests/support/train.sh"
store=$C3D_TEST_STORE/store
if command -v ogrinfo >/dev/null; then
    expect 0 ogrinfo -so "$store/frames.gpkg" frames
    says "label_2021"
    says "share_mining_2021"
    expect 0 gdalinfo "$(ls "$C3D_TEST_STORE"/archive/planet*/*_quad.tif | head -1)"
    says "3857"
fi
[ -n "${C3D_PYTHON:-}" ] || skip "no Python with h5py and safetensors (C3D_PYTHON)"
rm -rf run
expect 0 "$C3D_BIN/c3d-train" "$config" --set run.dir=run --set train.epochs=1
expect 0 "$C3D_PYTHON" - "$store" run <<'PY'
import csv, glob, json, sys
import h5py, numpy as np
from safetensors import safe_open

store, run = sys.argv[1:]
info = json.load(open(store + "/dataset.json"))
n = 0
for path in sorted(glob.glob(store + "/scenes-*.h5")):
    with h5py.File(path, "r") as f:
        scenes, status = f["scenes"], f["status"][:]
        assert scenes.chunks is None and scenes.compression is None, "contiguous, uncompressed"
        assert scenes.dtype == np.uint16 and scenes.shape[2] == len(info["bands"])
        assert f["valid"].shape == scenes.shape[:2] + (scenes.shape[3], (scenes.shape[4] + 7) // 8)
        valid = np.unpackbits(f["valid"][0], axis=-1)[..., : scenes.shape[4]].astype(bool)
        sums = (scenes[0].astype(np.int64) * valid[:, None]).sum(axis=(2, 3))
        assert (sums == f["sum"][0]).all(), "the sums are those of the pixels"
        assert len(set(f["frame_id"][:])) == len(status)
        n += int((status == 1).sum())
ids = {row["frame_id"] for row in csv.DictReader(open(store + "/samples.csv"))}
assert n >= len(ids) > 100, (n, len(ids))

path = sorted(glob.glob(run + "/checkpoints/*.safetensors"))[-1]
with safe_open(path, "np") as f:
    names = set(f.keys())
    w = f.get_tensor("conv1.weight")
    assert w.dtype == np.float32 and w.shape == (4, 4, 3, 3, 3), w.shape
    assert f.get_tensor("fc8.bias").shape == (1,)
    for name in [k for k in names if "/" not in k and not k.startswith("epoch.")]:
        for moment in ("adam.m/", "adam.v/"):
            assert f.get_tensor(moment + name).shape == f.get_tensor(name).shape
    assert json.loads(f.metadata()["position"])["step"] == int(path[-20:-12])
print("read", n, "scenes and", len(names), "tensors")
PY
says "read"
finish
