"""The other contestant of bench/run.sh cpu-step: the same network in PyTorch eager.

    cpu_step_torch.py NETWORK NxCxDxHxW WIDTH PRECISION THREADS LAYOUT
    cpu_step_torch.py sgemm THREADS

LAYOUT is contiguous or channels_last. Speaks as bench_cpu_step does: "ready GFLOP DESCRIPTION",
then for each line with a number of steps a line of "seconds:seconds", forward + loss + backward and
Adam. bf16 keeps float32 parameters and computes under autocast. sgemm answers with square matrix
products, 0 for the second figure.
"""
import sys
import time

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0)  # of convolutions; 0 is a pool
SGEMM = 4096


def pool(number, extents, flat):
    """Pool number 1..5 as c3d places it: 1x2x2 first, 1 px of space before the last."""
    window, pad = [1 if number == 1 else 2, 2, 2], [0, 0, 0]
    for axis, extent in enumerate(extents):
        if extent < window[axis]:
            window[axis] = 1
        elif number == 5 and axis > 0:
            pad[axis] = 1
        extents[axis] = (extent + 2 * pad[axis] - window[axis]) // window[axis] + 1
    make = nn.MaxPool2d if flat else nn.MaxPool3d
    begin = 1 if flat else 0
    return make(tuple(window[begin:]), padding=tuple(pad[begin:]))


def network(channels, extents, width, flat):
    conv = nn.Conv2d if flat else nn.Conv3d
    layers, pools, extents = [], 0, list(extents)
    for factor in WIDTHS:
        if factor:
            layers += [conv(channels, factor * width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = factor * width
        else:
            pools += 1
            layers.append(pool(pools, extents, flat))
    inputs = channels * extents[0] * extents[1] * extents[2]
    fc = 64 * width
    layers += [nn.Flatten(), nn.Linear(inputs, fc), nn.ReLU(inplace=True), nn.Dropout(0.5),
               nn.Linear(fc, fc), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(fc, 1)]
    return nn.Sequential(*layers)


class Training:
    def __init__(self, name, shape, width, precision, layout):
        n, c, *extents = shape
        flat = name == "cnn2d"
        self.model = network(c, extents, width, flat)
        self.x = torch.randn(n, c, *extents[1:] if flat else extents)
        self.y = (torch.arange(n) % 2 == 0).float().reshape(n, 1)
        self.bf16 = precision == "bf16"
        if layout == "channels_last":
            order = torch.channels_last if flat else torch.channels_last_3d
            self.model = self.model.to(memory_format=order)
            self.x = self.x.contiguous(memory_format=order)
        # fused is the fastest of PyTorch's Adams on a CPU
        self.adam = torch.optim.Adam(self.model.parameters(), lr=1e-6, fused=True)

    def step(self):
        start = time.perf_counter()
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.model(self.x)
        functional.binary_cross_entropy_with_logits(logits.float(), self.y).backward()
        middle = time.perf_counter()
        self.adam.step()
        return middle - start, time.perf_counter() - middle

    def parameters(self):
        return sum(p.numel() for p in self.model.parameters())


class Sgemm:
    def __init__(self):
        self.a, self.b = torch.randn(SGEMM, SGEMM), torch.randn(SGEMM, SGEMM)
        self.c = torch.empty(SGEMM, SGEMM)

    def step(self):
        start = time.perf_counter()
        torch.mm(self.a, self.b, out=self.c)
        return time.perf_counter() - start, 0.0


def main():
    threads = int(sys.argv[-1] if sys.argv[1] == "sgemm" else sys.argv[5])
    torch.set_num_threads(threads)
    if sys.argv[1] == "sgemm":
        worker, gflop = Sgemm(), 2e-9 * SGEMM**3
    else:
        name, shape, width, precision, _, layout = sys.argv[1:7]
        worker = Training(name, [int(s) for s in shape.split("x")], int(width), precision, layout)
        gflop = 0
    what = f"PyTorch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}"
    if gflop == 0:
        what += f", {worker.parameters()} parameters"
    print(f"ready {gflop:.3f} {what}", flush=True)
    for line in sys.stdin:
        times = [worker.step() for _ in range(int(line))]
        print(" ".join(f"{a:.6f}:{b:.6f}" for a, b in times), flush=True)


if __name__ == "__main__":
    main()
