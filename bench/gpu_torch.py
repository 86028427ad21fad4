"""PyTorch's side of bench/run.sh gpu: one way to train, for one network after another.

    gpu_torch.py MODE DEVICE     MODE fp32, tf32, bf16, bf16-compiled; DEVICE cuda or cpu
    gpu_torch.py matmul DEVICE

Says "ready DESCRIPTION", then answers each line of standard input by one:
    case NETWORK NxCxDxHxW WIDTH   "ready" once two steps are done, or "failed REASON"
    run N                          seconds of N steps (of matmul: products)
    memory                         largest number of bytes that were allocated, and reserved
    profile                        share of device time in tensor-core kernels, then their names
bf16 is autocast over float32 parameters, channels last, cuDNN's benchmark on; Adam is fused.
"""
import os
import sys
import time

import torch
from torch.nn import functional

from cpu_step_torch import network

MATMUL = int(os.environ.get("C3D_BENCH_MATMUL", 8192))
# in the names of kernels that use tensor cores, as cuDNN, cuBLAS and CUTLASS have them
TENSOR_CORE = ("xmma", "cutlass", "nvjet", "wgmma", "hmma", "tensorop", "16816", "1688", "h884")


class Training:
    def __init__(self, mode, device, name, shape, width):
        n, c, *extents = shape
        flat = name == "cnn2d"
        self.mode, self.device = mode, device
        self.model = network(c, extents, width, flat).to(device)
        self.x = torch.randn(n, c, *extents[1:] if flat else extents, device=device)
        self.y = (torch.arange(n, device=device) % 2 == 0).float().unsqueeze(1)
        if mode.startswith("bf16"):
            order = torch.channels_last if flat else torch.channels_last_3d
            self.model = self.model.to(memory_format=order)
            self.x = self.x.contiguous(memory_format=order)
        self.adam = torch.optim.Adam(self.model.parameters(), lr=1e-6, fused=True)
        self.forward = torch.compile(self.model) if mode == "bf16-compiled" else self.model

    def step(self):
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.mode.startswith("bf16")):
            logits = self.forward(self.x)
        functional.binary_cross_entropy_with_logits(logits.float(), self.y).backward()
        self.adam.step()


class Matmul:
    def __init__(self, device):
        self.a, self.b = (torch.randn(MATMUL, MATMUL, device=device).bfloat16() for _ in range(2))
        self.c = torch.empty_like(self.a)

    def step(self):
        torch.mm(self.a, self.b, out=self.c)


class Worker:
    def __init__(self, mode, device):
        self.mode, self.device = mode, device
        self.gpu = device == "cuda"
        torch.backends.cudnn.benchmark = True
        tf32 = mode != "fp32"
        torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.allow_tf32 = tf32
        self.work = Matmul(device) if mode == "matmul" else None

    def describe(self):
        what = f"PyTorch {torch.__version__}"
        if self.gpu:
            what += f", cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}"
        return what

    def sync(self):
        if self.gpu:
            torch.cuda.synchronize()

    def case(self, name, shape, width):
        self.work = None
        if self.gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        if self.mode == "bf16-compiled":
            torch._dynamo.reset()
        try:
            self.work = Training(self.mode, self.device, name,
                                 [int(s) for s in shape.split("x")], int(width))
            for _ in range(2):
                self.work.step()
            self.sync()
        except Exception as error:  # out of memory, no compiler, ...: this case cannot be had
            self.work = None
            if self.gpu:
                torch.cuda.empty_cache()
            return "failed " + " ".join(str(error).split())[:160]
        return "ready"

    def run(self, n):
        self.sync()
        start = time.perf_counter()
        for _ in range(int(n)):
            self.work.step()
        self.sync()
        return f"{time.perf_counter() - start:.6f}"

    def memory(self):
        if not self.gpu:
            return "0 0"
        return f"{torch.cuda.max_memory_allocated()} {torch.cuda.max_memory_reserved()}"

    def profile(self):
        kinds = [torch.profiler.ProfilerActivity.CPU]
        if self.gpu:
            kinds.append(torch.profiler.ProfilerActivity.CUDA)
        with torch.profiler.profile(activities=kinds) as profiler:
            self.work.step()
            self.sync()
        times = {}
        for event in profiler.events():
            if event.name.startswith(("Optimizer.", "ProfilerStep")):
                continue  # ranges around kernels, not kernels
            if "CUDA" in str(event.device_type) or not self.gpu:
                times[event.name] = times.get(event.name, 0) + event.time_range.elapsed_us()
        order = sorted(times, key=times.get, reverse=True)
        tensor = [name for name in order if any(word in name.lower() for word in TENSOR_CORE)
                  and "simt" not in name.lower()]
        total = sum(times.values())
        share = sum(times[name] for name in tensor) / total if total else 0
        names = "; ".join(name.replace("\n", " ")[:70] for name in tensor[:4])
        return f"{share:.3f} {names or 'none; most time in ' + '; '.join(order[:3])[:200]}"


def main():
    worker = Worker(sys.argv[1], sys.argv[2])
    print(f"ready {worker.describe()}", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            answer = getattr(worker, command)(*arguments)
        except Exception as error:  # said, so that the other contestants can go on
            answer = "failed " + " ".join(str(error).split())[:160]
        print(answer, flush=True)


if __name__ == "__main__":
    main()
