"""Figures of K classes from scores alone: check_classes.py RUN EVALUATED STEP, where EVALUATED holds
scores and evaluation of RUN's checkpoint after STEP steps on the validation samples."""
import csv
import json
import math
import struct
import sys

import numpy as np

run, evaluated, step = sys.argv[1:]
ev = json.load(open(evaluated + "/evaluation-validation.json"))
rows = list(csv.DictReader(open(evaluated + "/scores-validation.csv")))
k = sum(name.startswith("score_") for name in rows[0])
label = np.array([int(r["label"]) for r in rows])
score = np.array([[float(r["score_%d" % c]) for c in range(k)] for r in rows])
said = score.argmax(axis=1)  # the lowest of equals

confusion = np.zeros((k, k), int)
np.add.at(confusion, (label, said), 1)
assert ev["confusion"] == confusion.tolist(), (ev["confusion"], confusion)
assert ev["n"] == len(rows) and "threshold" not in ev


def near(got, expected, what):
    ok = got is None if math.isnan(expected) else got is not None and abs(got - expected) < 1e-6
    assert ok, (what, got, expected)


def ratio(a, b):
    return a / b if b else float("nan")


def wilson(hits, n, z=1.959963984540054):
    p, d = hits / n, 1 + z * z / n
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return (p + z * z / (2 * n)) / d - half, (p + z * z / (2 * n)) / d + half


def auc(positive, s):
    pairs = s[positive][:, None] - s[~positive][None, :]
    return ratio((pairs > 0).sum() + (pairs == 0).sum() / 2, pairs.size)


values = {"precision": [], "recall": [], "f1": [], "specificity": [], "auc": []}
for c in range(k):
    tp, n, predicted = confusion[c, c], confusion[c].sum(), confusion[:, c].sum()
    values["precision"].append(ratio(tp, predicted))
    values["recall"].append(ratio(tp, n))
    values["f1"].append(ratio(2 * tp, n + predicted))
    values["specificity"].append(ratio(len(rows) - n - predicted + tp, len(rows) - n))
    values["auc"].append(auc(label == c, score[:, c]))
    entry = ev["classes"][c]
    assert (entry["class"], entry["n"], entry["predicted"]) == (c, n, predicted)
    for name, of_classes in values.items():
        near(entry["metrics"][name]["value"], of_classes[c], (c, name))
for name, of_classes in values.items():
    near(ev["metrics"][name]["value"], np.nanmean(of_classes), name)
    assert ev["metrics"][name]["low"] is None
accuracy, hits = ev["metrics"]["accuracy"], int(np.trace(confusion))
near(accuracy["value"], hits / len(rows), "accuracy")
if 0 < hits < len(rows):
    for got, expected in zip((accuracy["low"], accuracy["high"]), wilson(hits, len(rows))):
        near(got, expected, "interval of accuracy")
near(ev["metrics"]["loss"]["value"], -np.log(score[np.arange(len(rows)), label]).mean(), "loss")

# metrics.csv has the same figures, and the best parameters are the first with the largest F1
epochs = list(csv.DictReader(open(run + "/metrics.csv")))
row = next(row for row in epochs if row["step"] == step)
near(float(row["val_accuracy"]), hits / len(rows), "val_accuracy")
for name in ("precision", "recall", "f1", "auc"):
    near(float(row["val_" + name]), np.nanmean(values[name]), "val_" + name)
near(float(row["val_loss"]), ev["metrics"]["loss"]["value"], "val_loss")
with open(run + "/best.safetensors", "rb") as f:
    header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
best = max(epochs, key=lambda row: float(row["val_f1"] or "-inf"))
assert json.loads(header["__metadata__"]["best"])["step"] == int(best["step"])
assert json.loads(header["__metadata__"]["classes"]) == [c["name"] for c in ev["classes"]]
print("agree on", len(rows), "samples of", k, "classes")
