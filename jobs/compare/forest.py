"""A random forest on pixel series: the classical way, pixel by pixel in time.

Each pixel is one row: its values of all months and bands. A training scene lends some pixels, with
the label of the scene; the score of a test scene is the mean of its pixels' probabilities. Pixels
without an observation hold what the dataset filled in, as the networks see them.

    forest.py DATA --like SCORES.csv --seed N --out DIR

DATA      a dataset of c3d-dataset; the forest learns from all samples of split train
SCORES    scores-test.csv of a network on it: the samples to score and their blocks
DIR       scores-test.csv in the same form, and cost.json, which also says how it was trained
"""

import argparse
import csv
import json
import pathlib
import sys
import time

import h5py
import numpy
from sklearn.ensemble import RandomForestClassifier


def fail(text):
    sys.exit(f"forest.py: {text}")


def date_of(text):
    """"2021-01" or "2021-01-15" as 20210100, 20210115, the form in which shards have months."""
    parts = [int(part) for part in text.split("-")] + [0, 0]
    return parts[0] * 10000 + parts[1] * 100 + parts[2]


class Store:
    """The shards of a dataset, by frame."""

    def __init__(self, directory):
        self.files = [h5py.File(path, "r") for path in sorted(directory.glob("scenes-*.h5"))]
        self.places = {}  # frame_id: [(file, row)] in the order of time
        if not self.files:
            fail(f"{directory}: no shards (scenes-*.h5)")
        for file in sorted(self.files, key=lambda of: int(of["scenes"].attrs["months"][0])):
            present = file["status"][:] == 1
            for row, frame in enumerate(file["frame_id"][:]):
                if present[row]:
                    self.places.setdefault(int(frame), []).append((file, row))

    def read(self, sample):
        """[pixels, months * bands] of a row of samples.csv."""
        first, wanted = date_of(sample["first_month"]), int(sample["n_months"])
        parts = []
        for file, row in self.places.get(int(sample["frame_id"]), []):
            months = file["scenes"].attrs["months"]
            begin = int(numpy.searchsorted(months, first))
            if not parts and (begin == len(months) or months[begin] != first):
                continue
            begin = 0 if parts else begin
            end = min(len(months), begin + wanted - sum(len(part) for part in parts))
            parts.append(file["scenes"][row, begin:end])
        values = numpy.concatenate(parts) if parts else numpy.empty((0, 1, 1, 1))
        if len(values) != wanted:
            fail(f"sample {sample['sample_id']}: {len(values)} of its {wanted} months are there")
        return values.reshape(values.shape[0] * values.shape[1], -1).T


def read_rows(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def draw_pixels(store, samples, n_pixels, seed):
    """Some pixels of each sample; which ones is drawn by seed and sample_id."""
    values, labels = [], []
    for sample in samples:
        pixels = store.read(sample)
        draw = numpy.random.default_rng([seed, int(sample["sample_id"])])
        chosen = draw.choice(len(pixels), min(n_pixels, len(pixels)), replace=False)
        values.append(pixels[chosen])
        labels.append(numpy.full(len(chosen), int(sample["label"])))
    return numpy.concatenate(values), numpy.concatenate(labels)


def score(forest, store, samples):
    """The mean over each sample's pixels; some samples at a time."""
    positive = list(forest.classes_).index(1)
    scores = []
    for begin in range(0, len(samples), 64):
        pixels = [store.read(sample) for sample in samples[begin : begin + 64]]
        each = forest.predict_proba(numpy.concatenate(pixels))[:, positive]
        ends = numpy.cumsum([len(of) for of in pixels])
        scores += [part.mean() for part in numpy.split(each, ends[:-1])]
    return scores


def write_scores(path, like, scores):
    """The rows of `like` with other scores."""
    with open(path, "w", newline="") as stream:
        writer = csv.DictWriter(stream, like[0].keys(), lineterminator="\n")
        writer.writeheader()
        for row, value in zip(like, scores):
            writer.writerow({**row, "score": format(value, ".9g")})


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--like", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--pixels", type=int, default=16, help="of each training scene")
    return parser.parse_args()


def main():
    args = parse()
    store = Store(args.data)
    samples = {row["sample_id"]: row for row in read_rows(args.data / "samples.csv")}
    training = [row for row in samples.values() if row["split"] == "train"]
    like = read_rows(args.like)
    if not training or not like:
        fail(f"{args.data}, {args.like}: no samples to learn from or to score")
    for row in like:
        if samples.get(row["sample_id"], {}).get("label") != row["label"]:
            fail(f"{args.like}: sample {row['sample_id']}: not in samples.csv, or with another label")
    wanted = [samples[row["sample_id"]] for row in like]
    if any(int(row["label"]) > 1 for row in training):
        fail(f"{args.data}: labels other than 0 and 1")
    begun = time.monotonic()
    values, labels = draw_pixels(store, training, args.pixels, args.seed)
    forest = RandomForestClassifier(
        args.trees, min_samples_leaf=5, random_state=args.seed, n_jobs=-1
    ).fit(values, labels)
    seconds = time.monotonic() - begun
    args.out.mkdir(parents=True, exist_ok=True)
    unfinished = args.out / "scores-test.csv.new"
    write_scores(unfinished, like, score(forest, store, wanted))
    dataset = json.loads((args.data / "dataset.json").read_text())
    cost = {
        "schema": 1,
        "network": "random forest",
        "trained": f"random forest of {args.trees} trees on {args.pixels} pixels of each of "
        f"{len(training)} training scenes, all months and bands",
        "dataset_hash": dataset["hash"],
        "parameters": sum(tree.tree_.node_count for tree in forest.estimators_),
        "bytes_a_sample": store.read(training[0]).nbytes,
        "device": "cpu",
        "n_devices": 1,
        "seconds": seconds,
        "device_hours": seconds / 3600,
    }
    (args.out / "cost.json").write_text(json.dumps(cost, indent=2) + "\n")
    unfinished.replace(args.out / "scores-test.csv")
    print(f"{args.out}: {len(training)} training scenes, {len(like)} scored, {seconds:.0f} s")


if __name__ == "__main__":
    main()
