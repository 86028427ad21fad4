"""How often a 95 % interval by blocks holds the true area under the ROC curve: lists are drawn from a
landscape whose area is known, with errors that a block, a frame and a scene have in common; run by
hand (numpy, scipy), figures in docs/evaluation.md.
    interval_coverage.py [--lists 300] [--blocks 36] [--even]   (--even: positives in all blocks)
"""
import argparse

import numpy as np
from scipy import stats

FRAMES, YEARS = 16, 3  # of a block, of a frame
BLOCK_SD, FRAME_SD, SCENE_SD = 0.78, 0.61, 0.8
REPLICATES = 500


def draw(rng, skill, n_blocks, even):
    block = np.repeat(np.arange(n_blocks), FRAMES * YEARS)
    frame = np.repeat(np.arange(n_blocks * FRAMES), YEARS)
    share = np.minimum(rng.gamma(1, 0.3, n_blocks), 0.9) * (rng.random(n_blocks) < 0.5)
    if even:
        share[:] = 0.15
    label = (rng.random(n_blocks * FRAMES) < np.repeat(share, FRAMES))[frame].astype(int)
    score = (skill * label + rng.normal(0, BLOCK_SD, n_blocks)[block] +
             rng.normal(0, FRAME_SD, n_blocks * FRAMES)[frame] +
             rng.normal(0, SCENE_SD, len(label)))
    order = np.argsort(score)
    return label[order], block[order]


def area(label, weight):
    negatives = np.cumsum(weight * (1 - label))
    positive = weight * label
    return (positive * negatives).sum() / (positive.sum() * negatives[-1])


def intervals(rng, label, block, n_blocks):
    here = area(label, np.ones(len(label)))
    drawn = []
    for _ in range(REPLICATES):
        times = np.bincount(rng.integers(0, n_blocks, n_blocks), minlength=n_blocks)[block]
        if (times * label).any():
            drawn.append(area(label, times))
    positives = np.bincount(block, weights=label, minlength=n_blocks)
    worth = positives.sum()**2 / (positives**2).sum()
    half = stats.t.ppf(0.975, max(worth - 1, 1)) * np.std(drawn, ddof=1) / (here * (1 - here))
    middle = np.log(here / (1 - here))
    return worth, {"percentiles": np.quantile(drawn, [0.025, 0.975]),
                   "t on log-odds": 1 / (1 + np.exp(-(middle + half * np.array([-1, 1]))))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lists", type=int, default=300)
    parser.add_argument("--blocks", type=int, default=36)
    parser.add_argument("--even", action="store_true")
    args = parser.parse_args()
    spread = np.sqrt(2 * (BLOCK_SD**2 + FRAME_SD**2 + SCENE_SD**2))
    for true in (0.85, 0.95, 0.99):
        rng = np.random.default_rng(1)
        skill = spread * stats.norm.ppf(true)
        holds, below, worths = {}, {}, []
        while len(worths) < args.lists:
            label, block = draw(rng, skill, args.blocks, args.even)
            here = area(label, np.ones(len(label))) if label.any() else 1
            if here >= 1:
                continue
            worth, found = intervals(rng, label, block, args.blocks)
            worths.append(worth)
            for name, (low, high) in found.items():
                holds[name] = holds.get(name, 0) + (low <= true <= high)
                below[name] = below.get(name, 0) + (true < low)
        print(f"area {true}, positives in blocks worth {np.mean(worths):.1f}: " + "; ".join(
            f"{name} {holds[name] / args.lists:.3f} (too high {below[name] / args.lists:.3f})"
            for name in holds), flush=True)


if __name__ == "__main__":
    main()
