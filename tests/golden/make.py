#!/usr/bin/env python3
"""Makes the fixtures of tests/golden_test.c with PyTorch (any version from 1.13 on, CPU):

    python3 tests/golden/make.py c3d tests/golden/c3d.safetensors
    python3 tests/golden/make.py cnn2d tests/golden/cnn2d.safetensors
    python3 tests/golden/make.py classes tests/golden/classes.safetensors
    python3 tests/golden/make.py tcnn tests/golden/tcnn.safetensors
    python3 tests/golden/make.py norm tests/golden/norm.safetensors
    python3 tests/golden/make.py stack tests/golden/stack.safetensors
    python3 tests/golden/make.py c2plus1d tests/golden/c2plus1d.safetensors

"classes" is cnn2d with three outputs, softmax and cross entropy; "norm" is c3d with batch
normalisation, whose running statistics after the three steps are stored, and the logits that they
give in evaluation ("eval_logits"). "stack" is cnn2d with each month of each band as a channel;
"c2plus1d" has two convolutions for each of c3d, 1x3x3 and 3x1x1, with a ReLU after both and between
them the number of channels of Tran et al. 2018, section 3.5.

A small network of the published structure is run forward and backward and three Adam steps are
taken on the same batch, in float64; what is stored is rounded to float32. The same is done in
float32, and the largest difference to float64 of each gradient ("deviation") says what rounding alone
does to gradients: the test allows a small multiple of it.

Where an activation is nearly 0 before its ReLU, or the two largest elements of a pool's window
nearly equal, rounding decides which way a gradient goes and no tolerance would be right; so seeds
are tried until the first step has no such place, and none of the steps a gradient that rounding moves
by more than a hundred thousandth of its array's largest."""

import json
import struct
import sys

import torch
import torch.nn.functional as F

WIDTH, FC, BANDS, SIZE = 2, 8, 4, 32
CONVS = [("conv1", 1), ("conv2", 2), ("conv3a", 4), ("conv3b", 4), ("conv4a", 8), ("conv4b", 8),
         ("conv5a", 8), ("conv5b", 8)]
POOLED = {"conv1": 1, "conv2": 2, "conv3b": 3, "conv4b": 4, "conv5b": 5}
LINEARS = ["fc6", "fc7", "fc8"]
RATE, BETAS, EPSILON, STEPS = 1e-3, (0.9, 0.999), 1e-8, 3
MARGIN = 1e-5
NOISE = 1e-5

NETWORKS = {
    "c3d": dict(samples=2, months=16, kernel=(3, 3, 3), pools_time=True),
    "cnn2d": dict(samples=4, months=1, kernel=(1, 3, 3), pools_time=False),
    "classes": dict(name="cnn2d", samples=4, months=1, kernel=(1, 3, 3), pools_time=False,
                    outputs=3),
    "tcnn": dict(samples=2, months=16, kernel=(3, 1, 1), pools_time=True),
    "stack": dict(name="cnn2d_stack", samples=4, months=5, kernel=(1, 3, 3), pools_time=False,
                  stacks=True),
    "c2plus1d": dict(samples=2, months=16, kernel=(3, 3, 3), pools_time=True, parts=True),
    "norm": dict(name="c3d", samples=3, months=16, kernel=(3, 3, 3), pools_time=True, norm=True),
}


def input_of(net, seed):
    """Raw values as stored, labels, and the normalisation."""
    draw = torch.Generator().manual_seed(seed)
    shape = (net["samples"], BANDS, net["months"], SIZE, SIZE)
    raw = torch.randint(0, 4000, shape, generator=draw)
    mean = torch.tensor([1800.0, 2000.0, 2100.0, 2250.0], dtype=torch.float64)
    scale = torch.tensor([1.0, 2.0, 0.5, 1.0], dtype=torch.float64) / 1024
    labels = torch.arange(net["samples"]) % max(2, net.get("outputs", 1))
    return raw, mean, scale, labels


def convolutions_of(net):
    """Name, filters, input channels and kernel of each, in order."""
    channels = BANDS * net["months"] if net.get("stacks") else BANDS
    for name, factor in CONVS:
        filters, (t, d, _) = factor * WIDTH, net["kernel"]
        if net.get("parts"):
            middle = t * d * d * channels * filters // (d * d * channels + t * filters)
            yield name + "_s", middle, channels, (1, d, d)
            yield name + "_t", filters, middle, (t, 1, 1)
        else:
            yield name, filters, channels, net["kernel"]
        channels = filters


def norm_of(conv):
    return conv.replace("conv", "bn")


def running_of(net, dtype):
    """Running statistics before the first step; empty without norms."""
    running = {}
    for name, factor in CONVS if net.get("norm") else []:
        running[norm_of(name) + ".running_mean"] = torch.zeros(factor * WIDTH, dtype=dtype)
        running[norm_of(name) + ".running_var"] = torch.ones(factor * WIDTH, dtype=dtype)
    return running


def parameters_of(net, seed):
    """Float32 values, so that every precision starts from the same numbers."""
    draw = torch.Generator().manual_seed(seed + 1000)
    params = {}
    for name, filters, channels, kernel in convolutions_of(net):
        shape = (filters, channels) + kernel
        fan_in = channels * kernel[0] * kernel[1] * kernel[2]
        params[name + ".weight"] = torch.randn(shape, generator=draw) * (2.0 / fan_in) ** 0.5
        if net.get("norm"):
            params[norm_of(name) + ".weight"] = 1 + torch.randn(shape[0], generator=draw) * 0.2
            name = norm_of(name)
        params[name + ".bias"] = torch.randn(shape[0], generator=draw) * 0.05
    features = filters * 2 * 2
    for name in LINEARS:
        outputs = net.get("outputs", 1) if name == "fc8" else FC
        params[name + ".weight"] = (torch.randn((outputs, features), generator=draw)
                                    * (2.0 / features) ** 0.5)
        params[name + ".bias"] = torch.randn(outputs, generator=draw) * 0.05
        features = outputs
    return params


class Margins:
    """The smallest distance to a place where a gradient would change its way."""

    def __init__(self):
        self.relu = self.pool = float("inf")

    def see_relu(self, z):
        self.relu = min(self.relu, z.abs().min().item())

    def see_pool(self, x, kernel, pad):
        x = F.pad(x, (pad, pad, pad, pad))
        for axis in range(3):
            x = x.unfold(2 + axis, kernel[axis], kernel[axis])
        top = x.flatten(5).sort(-1, descending=True).values
        gap = (top[..., 0] - top[..., 1])[top[..., 0] > 0]
        self.pool = min(self.pool, gap.min().item())


def normalise(x, params, running, name, training):
    return F.batch_norm(x, running[name + ".running_mean"], running[name + ".running_var"],
                        params[name + ".weight"], params[name + ".bias"], training=training,
                        momentum=0.1, eps=1e-5)


def forward(net, params, running, x, margins, training=True):
    if net.get("stacks"):
        x = x.flatten(1, 2).unsqueeze(2)
    for name, _, _, kernel in convolutions_of(net):
        padding = tuple(k // 2 for k in kernel)
        x = F.conv3d(x, params[name + ".weight"], params.get(name + ".bias"), padding=padding)
        if running:
            x = normalise(x, params, running, norm_of(name), training)
        margins.see_relu(x)
        x = F.relu(x)
        if name.removesuffix("_t") in POOLED:
            number = POOLED[name.removesuffix("_t")]
            kernel = (2 if net["pools_time"] and number > 1 else 1, 2, 2)
            pad = 1 if number == 5 else 0
            margins.see_pool(x, kernel, pad)
            x = F.max_pool3d(x, kernel, padding=(0, pad, pad))
    x = x.flatten(1)
    for name in LINEARS:
        x = F.linear(x, params[name + ".weight"], params[name + ".bias"])
        if name != "fc8":
            margins.see_relu(x)
            x = F.relu(x)
    return x


def losses_of(logits, labels):
    if logits.shape[1] > 1:
        return F.cross_entropy(logits, labels, reduction="none")
    return F.binary_cross_entropy_with_logits(logits[:, 0], labels.to(logits.dtype),
                                              reduction="none")


def train(net, start, batch, dtype):
    """Three Adam steps; per step logits, losses and gradients, and the final parameters."""
    raw, mean, scale, labels = batch
    view = (1, -1, 1, 1, 1)
    x = (raw.to(dtype) - mean.to(dtype).view(view)) * scale.to(dtype).view(view)
    params = {name: value.to(dtype, copy=True).requires_grad_() for name, value in start.items()}
    running = running_of(net, dtype)
    adam = torch.optim.Adam(list(params.values()), lr=RATE, betas=BETAS, eps=EPSILON)
    steps = []
    for _ in range(STEPS):
        margins = Margins()
        adam.zero_grad()
        logits = forward(net, params, running, x, margins)
        losses = losses_of(logits, labels)
        losses.mean().backward()
        steps.append(dict(logits=logits.detach(), losses=losses.detach(), margins=margins,
                          grads={name: p.grad.clone() for name, p in params.items()}))
        adam.step()
    params = {name: p.detach() for name, p in params.items()}
    if running:
        running["eval_logits"] = forward(net, params, running, x, Margins(), training=False)
    return steps, params, running


def deviation(exact, rounded):
    return (exact - rounded.double()).abs().max().item()


def fixture(net, seed):
    """The tensors to store, or None when the seed's margins are too small."""
    batch, start = input_of(net, seed), parameters_of(net, seed)
    exact, final, running = train(net, start, batch, torch.float64)
    rounded, _, rounded_running = train(net, start, batch, torch.float32)
    margins = exact[0]["margins"]
    if min(margins.relu, margins.pool) < MARGIN:
        return None
    tensors = {"x": batch[0], "mean": batch[1], "scale": batch[2], "labels": batch[3],
               "logits": exact[0]["logits"], "losses": exact[0]["losses"]}
    if exact[0]["logits"].shape[1] > 1:
        tensors["scores"] = F.softmax(exact[0]["logits"], dim=1)
    for name, value in start.items():
        if net["kernel"][0] == 1 and value.dim() == 5:
            shape = (value.shape[0], value.shape[1], 3, 3)
        else:
            shape = value.shape
        tensors["param." + name] = value.reshape(shape)
        tensors["grad." + name] = exact[0]["grads"][name].reshape(shape)
        tensors["final." + name] = final[name].reshape(shape)
        tensors["deviation." + name] = torch.tensor(
            [deviation(e["grads"][name], r["grads"][name]) for e, r in zip(exact, rounded)])
        if (tensors["deviation." + name] > NOISE * exact[0]["grads"][name].abs().max()).any():
            return None
    for name, value in running.items():
        tensors[name] = value
        tensors["deviation." + name] = torch.tensor([deviation(value, rounded_running[name])])
    return tensors


def encode(name, tensor):
    if name == "x":
        return "U16", struct.pack("<%dH" % tensor.numel(), *tensor.flatten().tolist())
    if name == "labels":
        return "I32", struct.pack("<%di" % tensor.numel(), *tensor.tolist())
    return "F32", struct.pack("<%df" % tensor.numel(), *tensor.flatten().tolist())


def write(path, tensors, metadata):
    header, buffer = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        dtype, data = encode(name, tensor)
        header[name] = {"dtype": dtype, "shape": list(tensor.shape),
                        "data_offsets": [len(buffer), len(buffer) + len(data)]}
        buffer += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + buffer)


def main():
    network, path = sys.argv[1], sys.argv[2]
    torch.set_num_threads(1)
    for seed in range(1, 1000):
        tensors = fixture(NETWORKS[network], seed)
        if tensors is not None:
            break
    else:
        sys.exit("no seed keeps its distance from ties")
    write(path, tensors, {"network": NETWORKS[network].get("name", network), "seed": str(seed),
                          "width": str(WIDTH), "fc": str(FC), "pytorch": torch.__version__,
                          "normalization": "batch" if NETWORKS[network].get("norm") else "none"})
    print(path, "seed", seed)


if __name__ == "__main__":
    main()
