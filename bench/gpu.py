"""Runs the contestants of bench/run.sh gpu in turns and prints the table."""
import argparse
import json
import os
import selectors
import shutil
import statistics
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

# goal: the last lines' names; None is shown and not judged. In the order of what matters: when the
# time is used up, the rest is left out and said.
Case = namedtuple("Case", "goal network months batch modes")
BF16 = ("bf16", "bf16-compiled")
ALL = ("fp32", "tf32", "bf16")
CASES = (
    Case("gpu-c3d-16", "c3d", 16, 64, BF16),
    Case("gpu-c3d-44", "c3d", 44, 32, BF16),
    Case("gpu-cnn2d", "cnn2d", 1, 128, BF16),
    Case("gpu-c3d-16", "c3d", 16, 128, BF16),
    Case(None, "c3d", 16, 32, ALL),
    Case(None, "cnn2d", 1, 32, ALL),
    Case("gpu-c3d-44", "c3d", 44, 16, BF16),
    Case("gpu-cnn2d", "cnn2d", 1, 64, BF16),
)
JUDGED = ("gpu-c3d-16", "gpu-c3d-44")
BANDS = 4
INPUT_GOAL = 3000.0  # scenes/s of the input path
TURN_S = 0.4


class Gone(Exception):
    """A contestant ended or was silent for too long."""


class Contestant:
    deadline = 0.0  # of the whole contest; nobody is waited for much longer

    def __init__(self, label, command):
        self.label, self.turns, self.note = label, [], ""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.process.stdout, selectors.EVENT_READ)

    def line(self, limit_s):
        limit_s = max(min(limit_s, self.deadline + 20 - time.monotonic()), 5)
        if not self.selector.select(limit_s):
            self.end(kill=True)
            raise Gone(f"no answer in {limit_s:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise Gone(f"ended with code {self.process.wait()}")
        if line.startswith("failed"):
            raise Gone(line[7:].strip())
        return line.strip()

    def ask(self, command, limit_s=120):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Gone("ended") from error
        return self.line(limit_s)

    def run(self, n):
        return float(self.ask(f"run {n}")) / n

    def warm_up(self, turn_s):
        self.turns = []
        self.run(2)
        self.n = max(2, round(turn_s / self.run(2)))

    def turn(self):
        self.turns.append(self.run(self.n))

    def median(self):
        return statistics.median(self.turns)

    def end(self, kill=False):
        if kill:
            self.process.kill()
        try:
            self.process.stdin.close()
            self.process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Contest:
    def __init__(self, options):
        self.options = options
        Contestant.deadline = time.monotonic() + options.seconds
        self.workers = {}  # PyTorch's by mode: they stay, and take one case after another
        self.of_case = []  # ours, which end with their case
        self.best = {}  # goal: scenes/s of ours, of PyTorch's
        self.longest_case_s = 60.0 if options.device == "cuda" else 1.0

    def left_s(self):
        return Contestant.deadline - time.monotonic()

    def worker(self, mode):
        if mode not in self.workers:
            script = str(Path(__file__).with_name("gpu_torch.py"))
            worker = Contestant(f"PyTorch {mode}",
                                [self.options.python, script, mode, self.options.device])
            self.what = worker.line(120).removeprefix("ready ")
            self.workers[mode] = worker
        return self.workers[mode]

    def ours(self, case, mode, shape):
        command = [self.options.prefix, f"{self.options.bin}/bench_gpu", self.options.backend,
                   case.network, shape, str(self.options.width), mode,
                   str(Path(self.options.scratch) / "plans")]
        ours = Contestant(f"ours {mode}", [word for word in command if word])
        self.of_case.append(ours)
        word, gflop, n_bytes, ours.what = (ours.line(180).split(maxsplit=3) + [""] * 4)[:4]
        if word != "ready":
            raise Gone(f"not ready: {word}")
        ours.gflop, ours.n_bytes = float(gflop), int(n_bytes)
        return ours

    def enter(self, case, shape):
        """Those that can do the case; the others are said."""
        entered = []

        def attempt(label, make):
            try:
                entered.append(make())
            except Gone as reason:
                print(f"  {label}: left out: {reason}", flush=True)
                self.workers.pop(label.removeprefix("PyTorch "), None)

        def theirs(mode):
            worker = self.worker(mode)
            worker.ask(f"case {case.network} {shape} {self.options.width}", 150)
            return worker

        # theirs first: that frees what the last case took
        for mode in case.modes:
            if mode in self.options.modes:
                attempt(f"PyTorch {mode}", lambda: theirs(mode))
        for mode in case.modes:
            if mode in self.options.ours_modes:
                attempt(f"ours {mode}", lambda: self.ours(case, mode, shape))
        return entered

    def rounds(self, contestants):
        alive = []
        for c in contestants:
            try:
                c.warm_up(self.options.turn)
                alive.append(c)
            except Gone as reason:
                print(f"  {c.label}: left out: {reason}", flush=True)
        for _ in range(self.options.rounds):
            for c in alive:
                c.turn()
        return alive

    def run(self, case):
        began = time.monotonic()
        size = self.options.size
        shape = f"{case.batch}x{BANDS}x{case.months}x{size}x{size}"
        print(f"\n{case.network} {case.months}x{size}x{size}x{BANDS}, batch {case.batch}, "
              f"width {self.options.width}", flush=True)
        entered = self.enter(case, shape)
        ceiling = self.worker("matmul")
        ran = self.rounds([*entered, ceiling])
        entered = [c for c in ran if c is not ceiling]
        ours = [c for c in entered if c.label.startswith("ours")]
        theirs = [c for c in entered if not c.label.startswith("ours")]
        if ours and ceiling in ran:
            self.report(case, ours, theirs, ceiling)
        self.longest_case_s = max(self.longest_case_s, time.monotonic() - began)

    def report(self, case, ours, theirs, ceiling):
        gflop = ours[0].gflop
        peak = 2e-9 * self.options.matmul**3 / ceiling.median()
        print(f"  {gflop:.0f} GFLOP a step; {self.options.matmul}^3 bf16 product: "
              f"{peak / 1e3:.1f} TFLOP/s; {self.what}; {ours[0].what}")
        print(f"  {'':26}{'scenes/s':>10}{'TFLOP/s':>9}{'of matmul':>11}{'GiB':>7}{'ratio':>8}")
        best = min((c.median() for c in theirs), default=None)
        for c in [*ours, *theirs]:
            n_bytes = c.n_bytes if c in ours else int(c.ask("memory").split()[0])
            speed = gflop / c.median()
            ratio = f"{c.median() / best:8.3f}" if best and c in ours else ""
            print(f"  {c.label:26}{case.batch / c.median():10.1f}{speed / 1e3:9.2f}"
                  f"{speed / peak:11.1%}{n_bytes / 2**30:7.2f}{ratio}")
        self.report_kernels(theirs)
        for c in ours:
            self.report_layers(c)
        if case.goal and theirs:
            score = self.best.setdefault(case.goal, [0.0, 0.0])
            score[0] = max([score[0], *(case.batch / c.median() for c in ours)])
            score[1] = max(score[1], case.batch / best)
        sys.stdout.flush()

    def report_kernels(self, theirs):
        """Whether the baseline is a fair one: PyTorch has had versions that left cuDNN aside."""
        for c in theirs:
            if c.label.endswith("fp32"):
                continue
            share, names = c.ask("profile").split(maxsplit=1)
            verdict = "" if float(share) > 0.5 else " (NOT a fair baseline)"
            print(f"  {c.label}: {float(share):.0%} of device time in tensor-core kernels"
                  f"{verdict}: {names}")

    def report_layers(self, c):
        layers = [part.split(":") for part in c.ask("layers 3").split()]
        total = sum(float(a) + float(b) for _, a, b in layers)
        text = ", ".join(f"{name} {float(a):.2f}/{float(b):.2f}" for name, a, b in layers)
        print(f"  {c.label}, ms forward/backward by layer (sum {total:.2f}): {text}")

    def all(self, cases):
        for case in cases:
            if self.left_s() < self.longest_case_s:
                print(f"\n{case.network} {case.months} months, batch {case.batch}: left out, "
                      f"{max(self.left_s(), 0):.0f} s left")
                continue
            try:
                self.run(case)
            except Gone as reason:
                print(f"  given up: {reason}", flush=True)
                self.workers = {m: w for m, w in self.workers.items() if w.process.poll() is None}
            for c in self.of_case:
                c.end()
            self.of_case = []
        for worker in self.workers.values():
            worker.end()


def last_lines(text):
    return text.strip().splitlines()[-3:]


def input_path(options):
    """Scenes/s from a store in memory to the device, then of c3d-train itself; ratio or None."""
    store = Path(options.scratch) / "input-store"
    shutil.rmtree(store, ignore_errors=True)
    prefix = [options.prefix] if options.prefix else []
    program = [*prefix, f"{options.bin}/bench_gpu_input"]

    def run(command, limit_s):
        return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)

    try:
        made = run([*program, "make", str(store), str(options.months), str(options.size),
                    str(options.scenes)], 120)
        if made.returncode:
            print("input path: left out:", *last_lines(made.stderr))
            return None
        ran = run([*program, "run", str(store), options.backend, options.ours_modes[-1],
                   str(options.input_batch), str(options.readers), str(options.input_s)], 120)
        if ran.returncode:
            print("input path: left out:", *last_lines(ran.stderr))
            return None
        n, seconds, waited, n_bytes = (float(word) for word in ran.stdout.split())
        print(f"\ninput path, {options.months}x{options.size}x{options.size}x{BANDS} uint16, micro-batch "
              f"{options.input_batch}, {options.readers} readers: {n / seconds:.0f} scenes/s, "
              f"{n * n_bytes / seconds / 1e9:.2f} GB/s; the loader was waited for in "
              f"{waited / seconds:.0%} of the time (nothing is computed: it is what limits)")
        whole_program(options, store, prefix, run)
        return INPUT_GOAL / (n / seconds)
    except subprocess.TimeoutExpired as late:
        print(f"input path: left out: {late.cmd[1]} took longer than {late.timeout:.0f} s")
        return None
    finally:
        shutil.rmtree(store, ignore_errors=True)


def whole_program(options, store, prefix, run):
    """c3d-train on the same store: what a user gets, with the share of waiting for input."""
    where = Path(options.scratch) / "input-run"
    shutil.rmtree(where, ignore_errors=True)
    config = Path(options.scratch) / "input.yaml"
    gpu = options.device == "cuda"
    config.write_text(f"""data: {{store: {store}, readers: {options.readers}, allow_leaking_split: true}}
model: {{network: c3d, width: {options.width}, fc: {64 * options.width}, precision: {options.ours_modes[-1]}, autotune: {str(gpu).lower()}}}
train: {{epochs: 100, max_steps: {options.steps}, global_batch: {options.input_batch}, micro_batch: {options.input_batch}}}
run: {{dir: {where}, device: {'cuda' if gpu else 'cpu'}}}
""")
    ran = run([*prefix, f"{options.bin}/c3d-train", str(config)], 150)
    if ran.returncode:
        print("c3d-train on it: left out:", *last_lines(ran.stdout + ran.stderr))
        return
    steps = [json.loads(line) for line in (where / "steps.jsonl").read_text().splitlines()]
    steps = steps[len(steps) // 4:]
    seconds = sum(step["seconds"] for step in steps)
    waits = [step.get("waited_s") for step in steps]
    stall = "unknown" if None in waits else f"{sum(waits) / seconds:.1%}"
    print(f"c3d-train on it, batch {options.input_batch}: "
          f"{sum(step['n'] for step in steps) / seconds:.1f} scenes/s, waiting for input {stall}",
          flush=True)
    shutil.rmtree(where, ignore_errors=True)


def arguments():
    parser = argparse.ArgumentParser(prog="bench/run.sh gpu")
    for hidden in ("--prefix", "--bin", "--python", "--scratch"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=470, help="for all of it (470)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases with this text in NETWORK-MONTHS-BATCH")
    parser.add_argument("--backend", default="cuda", help="of ours; onednn to try this without a GPU")
    parser.add_argument("--tiny", action="store_true", help="sizes for a processor: to try the script")
    options = parser.parse_args()
    options.device = "cuda" if options.backend == "cuda" else "cpu"
    options.size, options.width, options.matmul, options.turn = 112, 64, 8192, TURN_S
    options.months, options.scenes, options.steps, options.input_batch = 16, 1024, 60, 64
    options.readers, options.input_s = min(12, os.cpu_count()), 12
    options.modes = ("fp32", "tf32", "bf16", "bf16-compiled")
    options.ours_modes = ("fp32", "tf32", "bf16")
    if options.tiny:
        options.size, options.width, options.matmul, options.turn = 32, 4, 256, 0.02
        options.months, options.scenes, options.steps, options.input_batch = 4, 24, 4, 4
        options.readers, options.input_s, options.rounds = 2, 1, 2
    if options.backend != "cuda":
        options.modes, options.ours_modes = ("fp32", "bf16"), ("fp32", "bf16")
    os.environ["C3D_BENCH_MATMUL"] = str(options.matmul)
    return parser, options


def main():
    parser, options = arguments()
    cases = [c for c in CASES if options.only in f"{c.network}-{c.months}-{c.batch}"]
    if not cases:
        parser.error(f"no case has {options.only!r} in its name")
    if options.tiny:
        cases = [c._replace(batch=2) for c in cases]
    if not options.only:
        options.seconds -= min(100, options.seconds / 4)  # for the input path
    contest = Contest(options)
    print(f"{options.backend}, {options.rounds} rounds in turns, medians")
    contest.all(cases)
    input_ratio = None if options.only else input_path(options)
    print()
    for goal, (ours, theirs) in contest.best.items():
        print(f"{goal}: ours {ours:.1f}, PyTorch's best {theirs:.1f} scenes/s")
    ratios = {goal: theirs / ours for goal, (ours, theirs) in contest.best.items() if ours}
    for goal, ratio in ratios.items():
        print(f"{goal} ratio={ratio:.3f}")
    if input_ratio:
        print(f"gpu-input ratio={input_ratio:.3f}")
    judged = [ratios[goal] for goal in JUDGED if goal in ratios] or list(ratios.values())
    if not judged:
        sys.exit("gpu: nothing could be compared")
    # both have to hold, so the comparison is as good as its worse
    print(f"gpu ratio={max(judged):.3f}")


if __name__ == "__main__":
    main()
