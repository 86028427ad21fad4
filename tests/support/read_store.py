"""A dataset as h5py and numpy see it: names, shapes, types, layout, sums, bits and filled gaps."""
import csv
import glob
import json
import os
import sys

import h5py
import numpy as np

directory = sys.argv[1]
info = json.load(open(os.path.join(directory, "dataset.json")))
samples = list(csv.DictReader(open(os.path.join(directory, "samples.csv"))))
assert samples and list(samples[0]) == [
    "sample_id", "frame_id", "first_month", "n_months", "label_year", "label", "split", "fold"]
months = info["periods"][0]["months"]
seen = set()
for path in sorted(glob.glob(os.path.join(directory, "scenes-*.h5"))):
    with h5py.File(path, "r") as shard:
        scenes, valid = shard["scenes"], shard["valid"]
        n, t, c, size, _ = scenes.shape
        assert scenes.dtype.name == info["dtype"] and c == len(info["bands"])
        assert size == info["frame_size_px"] and t == len(months)
        assert valid.shape == (n, t, size, (size + 7) // 8) and valid.dtype == np.uint8
        for name, kind, shape in [("frame_id", "int64", (n,)), ("status", "uint8", (n,)),
                                  ("checksum", "uint64", (n,)),
                                  ("missing_share", "float32", (n, t)),
                                  ("sum", "int64", (n, t, c)), ("sum_squares", "int64", (n, t, c))]:
            assert shard[name].dtype.name == kind and shard[name].shape == shape, name
        for name in shard:
            assert shard[name].chunks is None and shard[name].compression is None
        assert scenes.id.get_offset() % 4096 == 0
        assert [b.decode() for b in scenes.attrs["bands"]] == info["bands"]
        assert len(scenes.attrs["months"]) == t
        present = np.flatnonzero(shard["status"][...] == 1)
        for row in present[:: max(1, len(present) // 50)]:
            pixels = scenes[row].astype(np.int64)
            bits = np.unpackbits(valid[row], axis=2)[:, :, :size].astype(bool)
            observed = np.where(bits[:, None], pixels, 0)
            assert np.array_equal(observed.sum(axis=(2, 3)), shard["sum"][row])
            assert np.array_equal((observed ** 2).sum(axis=(2, 3)), shard["sum_squares"][row])
            share = np.float32(1) - bits.mean(axis=(1, 2)).astype(np.float32)
            assert np.allclose(share, shard["missing_share"][row], atol=1e-6)
        seen.update(int(i) for i, s in zip(shard["frame_id"][...], shard["status"][...]) if s == 1)
assert all(int(sample["frame_id"]) in seen for sample in samples)
print(directory, len(samples), "samples,", len(seen), "scenes present")
