"""Reference values of module score: python3 make_scores_reference.py > tests/golden/scores.json

Needs numpy, scikit-learn and statsmodels. Figures are theirs, or sums written out over samples; only
the random draws of blocks are made as the program makes them (Philox4x32-10, Salmon et al. 2011).
"""
import json
import sys

import numpy as np
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve
from statsmodels.stats.proportion import proportion_confint

REPLICATES, SEED, PURPOSE_BOOTSTRAP = 1000, 1, 10
NAMES = ["accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "f0.5"]


def philox(seed, stream, index):
    c = [index & 0xFFFFFFFF, index >> 32, stream & 0xFFFFFFFF, stream >> 32]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def draw(n, replicate):
    times = np.zeros(n, int)
    for i in range(0, n, 4):
        words = philox(SEED, PURPOSE_BOOTSTRAP << 48 | replicate, i // 4)
        for word in words[: min(4, n - i)]:
            times[word * n >> 32] += 1
    return times


def none(value):
    """NaN as null."""
    if isinstance(value, dict):
        return {k: none(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [none(v) for v in value]
    if isinstance(value, (np.integer, int)):
        return int(value)
    if isinstance(value, str):
        return value
    return float(value) if np.isfinite(value) else None


def at(labels, said, w):
    """The seven metrics of predictions, samples counted w times."""
    if not w.any():
        return [np.nan] * 7
    kw = dict(sample_weight=w, zero_division=np.nan)
    recall = sk.recall_score(labels, said, **kw)
    specificity = sk.recall_score(labels, said, pos_label=0, **kw)
    f = [np.nan, np.nan]
    if w[(labels == 1) | (said == 1)].any():
        f = [sk.fbeta_score(labels, said, beta=b, sample_weight=w, zero_division=0) for b in (1, .5)]
    return [sk.accuracy_score(labels, said, sample_weight=w), sk.precision_score(labels, said, **kw),
            recall, specificity, f[0], (recall + specificity) / 2, f[1]]


def areas(labels, scores, w):
    keep = w > 0
    labels, scores, w = labels[keep], scores[keep], w[keep]
    if len(set(labels)) < 2:
        return [np.nan, np.nan]
    return [sk.roc_auc_score(labels, scores, sample_weight=w),
            sk.average_precision_score(labels, scores, sample_weight=w)]


def interval(values):
    values = np.asarray(values, float)
    good = values[~np.isnan(values)]
    if len(good) < 0.9 * len(values):
        return [np.nan, np.nan]
    return list(np.quantile(good, [0.025, 0.975]))


def intervals(rows):
    return [interval(column) for column in np.array(rows, float).T]


def curve_values(labels, scores, w, rates, recalls):
    """Highest recall at a rate (straight between points), highest precision at a recall."""
    keep = w > 0
    fpr, tpr, _ = sk.roc_curve(labels[keep], scores[keep], sample_weight=w[keep],
                               drop_intermediate=False)
    out = []
    for x in rates:
        same = fpr <= x
        last = np.flatnonzero(same)[-1]
        if last + 1 < len(fpr):
            step = (x - fpr[last]) / (fpr[last + 1] - fpr[last])
            out.append(tpr[last] + step * (tpr[last + 1] - tpr[last]))
        else:
            out.append(tpr[last])
    total = w[labels == 1].sum()
    levels = np.unique(scores[keep])[::-1]
    counted = [(w[(scores >= s) & (labels == 1)].sum(), w[scores >= s].sum()) for s in levels]
    for r in recalls:
        tp, n = next((tp, n) for tp, n in counted if tp / total >= r)
        out.append(tp / n)
    return out


def binary(rng):
    n, n_blocks = 400, 23
    block = rng.integers(0, n_blocks, n)
    push = rng.normal(0, 0.6, n_blocks)
    labels = (rng.random(n) < 0.3).astype(int)
    z = 1.6 * labels - 0.8 + push[block] + rng.normal(0, 1, n)
    scores = np.round(1 / (1 + np.exp(-2 * z)), 2).astype(np.float32)  # with ties, and 0 and 1
    losses = rng.random(n).astype(np.float32)
    names = np.sort(rng.choice(100000, n_blocks, replace=False)) - 50000
    thresholds = [0.9, 0.5, 0.25]
    s = scores.astype(float)
    said = [(s > t).astype(int) for t in thresholds]
    fpr, tpr, _ = sk.roc_curve(labels, s, drop_intermediate=False)
    rates = [x for x in sorted(set(fpr))][::7]
    recalls = sorted(set(tpr[tpr > 0]))[::9]

    def figures(w):
        return (areas(labels, s, w) + [np.average((s - labels) ** 2, weights=w),
                                       np.average(losses.astype(float), weights=w)]
                + sum((at(labels, y, w) for y in said), []))

    ones = np.ones(n, int)
    times = [draw(n_blocks, r)[block] for r in range(REPLICATES)]
    point = figures(ones)
    bounds = intervals([figures(w) for w in times])
    bands = intervals([curve_values(labels, s, w, rates, recalls) for w in times])
    assert abs(point[2] - sk.brier_score_loss(labels, s)) < 1e-12
    share, mean = calibration_curve(labels, s, n_bins=10, strategy="uniform")
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], s)
    count = np.bincount(bins, minlength=10)
    result = {
        "scores": ["%.9g" % x for x in scores], "labels": labels, "blocks": names[block],
        "losses": ["%.9g" % x for x in losses], "thresholds": thresholds,
        "areas": point[:4], "area_intervals": bounds[:4], "at": [],
        "curve": {"rates": rates, "recalls": recalls,
                  "values": curve_values(labels, s, ones, rates, recalls), "intervals": bands},
        "calibration": {"n": count, "positives": [labels[bins == b].sum() for b in range(10)],
                        "mean_scores": [s[bins == b].mean() if count[b] else np.nan
                                        for b in range(10)],
                        "error": float(np.sum(count[count > 0] / n * np.abs(share - mean)))},
        "choices": choices(labels, s),
    }
    for t, y in enumerate(said):
        tn, fp, fn, tp = sk.confusion_matrix(labels, y, labels=[0, 1]).ravel()
        wilson = {name: proportion_confint(k, m, method="wilson") for name, k, m in
                  [("accuracy", tp + tn, n), ("precision", tp, tp + fp), ("recall", tp, tp + fn),
                   ("specificity", tn, tn + fp)] if m > 0}
        first = 4 + 7 * t
        result["at"].append({"counts": [tp, fp, tn, fn], "values": dict(zip(NAMES, point[first:])),
                             "intervals": dict(zip(NAMES, bounds[first:first + 7])),
                             "wilson": wilson})
    return result


def choices(labels, s):
    """Every threshold tried by itself."""
    levels = np.unique(s)
    tried = [(a + b) / 2 for a, b in zip(levels, levels[1:])]
    if levels[0] > 0:
        tried.insert(0, levels[0] / 2)
    out = {}
    for name, worth in [
            ("f1", lambda p, r: 2 * p * r / (p + r) if p + r else 0),
            ("f0.5", lambda p, r: 1.25 * p * r / (0.25 * p + r) if p + r else 0),
            ("f2", lambda p, r: 5 * p * r / (4 * p + r) if p + r else 0),
            ("recall=0.9", lambda p, r: p if r >= 0.9 else None),
            ("precision=0.8", lambda p, r: r if p >= 0.8 else None),
            ("precision=1", lambda p, r: r if p >= 1 else None)]:
        best = None
        for t in tried[::-1]:
            y = (s > t).astype(int)
            value = worth(sk.precision_score(labels, y), sk.recall_score(labels, y))
            if value is not None and (best is None or value > best[0] + 1e-12):
                best = (value, t)
        out[name] = best[1] if best else np.nan
    return out


def classes(rng):
    n, k, n_blocks = 300, 3, 14
    block = rng.integers(0, n_blocks, n)
    labels = rng.choice(k, n, p=[0.6, 0.3, 0.1])
    z = rng.normal(0, 1, (n, k)) + 1.5 * (labels[:, None] == np.arange(k))
    z += rng.normal(0, 0.5, (n_blocks, k))[block]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    scores = p.astype(np.float32)
    s = scores.astype(float)
    said = s.argmax(1)
    truth = (labels[:, None] == np.arange(k)).astype(int)

    def figures(w):
        per = [at(truth[:, c], (said == c).astype(int), w) + areas(truth[:, c], s[:, c], w)
               for c in range(k)]
        mean = np.nanmean(np.array(per), 0)
        macro = list(mean[:7])
        macro[0] = sk.accuracy_score(labels, said, sample_weight=w)
        macro[5] = mean[2]
        matrix = sk.confusion_matrix(labels, said, labels=range(k), sample_weight=w).astype(float)
        with np.errstate(invalid="ignore"):
            shares = matrix / matrix.sum(1, keepdims=True)
        return ([mean[7], mean[8], np.average(((s - truth) ** 2).sum(1), weights=w)] + macro
                + sum(per, []) + list(shares.ravel()))

    point = figures(np.ones(n, int))
    bounds = intervals([figures(draw(n_blocks, r)[block]) for r in range(REPLICATES)])
    return {"scores": [["%.9g" % x for x in row] for row in scores], "labels": labels,
            "blocks": block, "confusion": sk.confusion_matrix(labels, said, labels=range(k)),
            "values": point, "intervals": bounds}


def weighted(rng):
    """Sample by sample, strata that are not the predicted classes."""
    weights, sizes, k = np.array([0.02, 0.38, 0.6]), [60, 80, 100], 3
    counts, rows = [], []
    for h, m in enumerate(sizes):
        label = rng.choice(k, m, p=[[.8, .15, .05], [.1, .7, .2], [.02, .08, .9]][h])
        said = np.where(rng.random(m) < 0.8, label, rng.choice(k, m))
        counts.append(sk.confusion_matrix(label, said, labels=range(k)))
        rows.append((label, said))

    def ratio(y_of, x_of):
        ys, xs = [y_of(*r).astype(float) for r in rows], [x_of(*r).astype(float) for r in rows]
        y = sum(w * v.mean() for w, v in zip(weights, ys))
        x = sum(w * v.mean() for w, v in zip(weights, xs))
        r = y / x
        v = sum(w ** 2 / len(a) * np.var(a - r * b, ddof=1) for w, a, b in zip(weights, ys, xs))
        return [r, 1.959963984540054 * np.sqrt(v) / x]

    every = lambda label, said: np.ones(len(label))
    out = {"weights": weights, "counts": counts,
           "accuracy": ratio(lambda label, said: label == said, every)}
    for name, x_of, y_of in [
            ("precision", lambda c: lambda label, said: said == c,
             lambda c: lambda label, said: (said == c) & (label == c)),
            ("recall", lambda c: lambda label, said: label == c,
             lambda c: lambda label, said: (said == c) & (label == c)),
            ("area", lambda c: every, lambda c: lambda label, said: label == c)]:
        out[name] = [ratio(y_of(c), x_of(c)) for c in range(k)]
    return out


rng = np.random.default_rng(20)
json.dump(none({"binary": binary(rng), "classes": classes(rng), "weighted": weighted(rng)}),
          sys.stdout, indent=0)
print()
