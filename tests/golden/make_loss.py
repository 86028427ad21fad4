#!/usr/bin/env python3
"""Makes the fixtures of tests/golden_loss.c with PyTorch (any version from 1.13 on, CPU):

    python3 tests/golden/make_loss.py

Losses and, by autograd, gradients of logits [rows, K] for several gamma of the focal loss (0 is the
cross entropy) and with weights of the classes, in float64; what is stored is rounded to float32.
The gradient is that of sum(weight * loss) / rows: divided by the number of samples, not by the sum
of weights (PyTorch's own CrossEntropyLoss(weight=...) divides by that sum; its BCE does not)."""

import os

import torch
import torch.nn.functional as F

from make import write

GAMMAS = [0.0, 0.5, 1.0, 2.0, 5.0]


def logits_of(k):
    draw = torch.Generator().manual_seed(k)
    rows = [torch.randn(8, k, generator=draw) * 3]
    for size in (1e-3, 30.0, 100.0):
        rows.append(torch.eye(k) * size)
        rows.append(torch.eye(k) * -size)
        rows.append(torch.randn(4, k, generator=draw).sign() * size)
    rows.append(torch.zeros(2, k))
    return torch.cat(rows)


def focal(logits, labels, gamma):
    """Per row; 1 - p as the sum of the others, which does not cancel."""
    if logits.shape[1] == 1:
        toward = torch.where(labels == 1, logits[:, 0], -logits[:, 0])
        log_p, log_q = F.logsigmoid(toward), F.logsigmoid(-toward)
    else:
        log_p = F.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
        own = F.one_hot(labels, logits.shape[1]).bool()
        others = logits.masked_fill(own, -float("inf"))
        log_q = torch.logsumexp(others, 1) - torch.logsumexp(logits, 1)
        # log p by the others where p is nearly 1; the branch not taken must be finite for autograd
        near = log_p.detach() > -0.5
        by_others = torch.log1p(-torch.exp(torch.where(near, log_q, torch.full_like(log_q, -1.0))))
        log_p = torch.where(near, by_others, log_p)
    return torch.exp(gamma * log_q) * -log_p


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    for k in (1, 4):
        logits = logits_of(k)
        n = len(logits)
        labels = torch.arange(n) % 5 % max(k, 2)
        counts = torch.bincount(labels)
        by_class = n / (len(counts) * counts.double())
        weights = by_class[labels].float()
        losses, grads = [], []
        for gamma in GAMMAS:
            x = logits.double().requires_grad_(True)
            loss = weights.double() * focal(x, labels, gamma)
            (loss.sum() / n).backward()
            losses.append(loss.detach())
            grads.append(x.grad)
        if k == 1:  # PyTorch's own functions, where it has them
            own = F.binary_cross_entropy_with_logits(logits.double()[:, 0], labels.double(),
                                                     weight=weights.double(), reduction="none")
        else:
            own = F.cross_entropy(logits.double(), labels, weight=by_class, reduction="none")
        assert torch.allclose(own, losses[0], rtol=1e-6, atol=1e-12)
        assert all(torch.isfinite(g).all() for g in losses + grads)
        tensors = {"logits": logits, "labels": labels, "counts": counts, "weights": weights,
                   "gammas": torch.tensor(GAMMAS), "losses": torch.stack(losses),
                   "grads": torch.stack(grads)}
        write(os.path.join(folder, "loss-%d.safetensors" % k), tensors,
              {"made by": "tests/golden/make_loss.py", "torch": torch.__version__})


if __name__ == "__main__":
    main()
