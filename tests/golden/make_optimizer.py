#!/usr/bin/env python3
"""Makes the fixture of tests/test_optimizer.c with PyTorch (any version from 1.13 on, CPU):

    python3 tests/golden/make_optimizer.py tests/golden/optimizer.safetensors

Given gradients, some longer than the limit and some shorter, two parameters are updated by AdamW
after clip_grad_norm_, the learning rate following each course of PyTorch's own schedulers, in
float64. Stored, rounded to float32, of each course: every step's rate and norm before clipping, and
the parameters after every step."""

import sys
import warnings

import torch
from torch.optim import lr_scheduler

from make import write

SIZES, STEPS, WARMUP = (48, 32), 12, 3
RATE, BETAS, EPSILON, DECAY, CLIP = 1e-2, (0.9, 0.99), 1e-6, 0.1, 2.0


def course(adam, name):
    """Warm-up and what follows it."""
    rise = lr_scheduler.LinearLR(adam, 1 / WARMUP, 1, WARMUP - 1)
    left = STEPS - WARMUP
    if name == "constant":
        rest = lr_scheduler.ConstantLR(adam, 1, left)
    elif name == "linear":
        rest = lr_scheduler.LinearLR(adam, 1, 0, left)
    else:
        rest = lr_scheduler.CosineAnnealingLR(adam, left)
    return lr_scheduler.SequentialLR(adam, [rise, rest], milestones=[WARMUP])


def train(start, gradients, name):
    params = [p.clone().requires_grad_() for p in start.split(SIZES)]
    adam = torch.optim.AdamW(params, lr=RATE, betas=BETAS, eps=EPSILON, weight_decay=DECAY)
    schedule = course(adam, name)
    rates, norms, trace = [], [], []
    for gradient in gradients:
        for param, part in zip(params, gradient.split(SIZES)):
            param.grad = part.clone()
        norms.append(torch.nn.utils.clip_grad_norm_(params, CLIP).reshape(()))
        rates.append(adam.param_groups[0]["lr"])
        adam.step()
        schedule.step()
        trace.append(torch.cat([p.detach() for p in params]).clone())
    return torch.tensor(rates, dtype=torch.float64), torch.stack(norms), torch.stack(trace)


def main():
    warnings.simplefilter("ignore")  # SequentialLR calls its parts in a way it warns of itself
    draw = torch.Generator().manual_seed(7)
    n = sum(SIZES)
    start = torch.randn(n, generator=draw).double()
    # lengths from 0.2 to 20 around the limit, out of order
    lengths = torch.logspace(-1.6, 0.4, STEPS)[torch.randperm(STEPS, generator=draw)]
    gradients = (torch.randn((STEPS, n), generator=draw) * lengths[:, None]).double()
    tensors = {"start": start, "gradients": gradients}
    for name in ("constant", "linear", "cosine"):
        rates, norms, trace = train(start, gradients, name)
        assert (norms > CLIP).any() and (norms < CLIP).any()
        tensors.update({"rates." + name: rates, "norms." + name: norms, "params." + name: trace})
    settings = dict(warmup_steps=WARMUP, learning_rate=RATE, beta1=BETAS[0], beta2=BETAS[1],
                    epsilon=EPSILON, weight_decay=DECAY, clip_norm=CLIP)
    write(sys.argv[1], tensors, {**{k: str(v) for k, v in settings.items()},
                                 "pytorch": torch.__version__})


if __name__ == "__main__":
    main()
