"""Runs the contestants of bench/run.sh cpu-step in turns and prints the table."""
import argparse
import os
import statistics
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

Case = namedtuple("Case", "name network shape width precision")
CASES = (
    Case("c3d 8x64x64x4, batch 4", "c3d", "4x4x8x64x64", 64, "fp32"),
    Case("cnn2d 64x64x4, batch 16", "cnn2d", "16x4x1x64x64", 64, "fp32"),
    Case("c3d 16x112x112x3, batch 1", "c3d", "1x3x16x112x112", 64, "fp32"),
    Case("c3d 8x64x64x4, batch 4", "c3d", "4x4x8x64x64", 64, "bf16"),
)  # a case in another precision also runs ours in fp32, to be compared with that
TURN_S = 0.6  # a turn is as many steps as fit, at least one


class Contestant:
    def __init__(self, label, command):
        self.label = label
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.turns = []  # (step, Adam) medians of each turn, seconds
        word, gflop, self.what = (self.line().split(maxsplit=2) + ["", "", ""])[:3]
        if word != "ready":
            sys.exit(f"cpu-step: {label}: not ready")
        self.gflop = float(gflop)

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"cpu-step: {self.label}: ended with code {self.process.wait()}")
        return line.strip()

    def run(self, n):
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        pairs = [[float(s) for s in pair.split(":")] for pair in self.line().split()]
        return tuple(statistics.median(column) for column in zip(*pairs))

    def warm_up(self):
        self.run(2)
        self.n = max(1, round(TURN_S / sum(self.run(1))))

    def turn(self):
        time.sleep(0.02)  # the last one's idle threads stop spinning
        self.turns.append(self.run(self.n))

    def median(self, with_adam=False):
        return statistics.median(step + with_adam * adam for step, adam in self.turns)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def ratio(ours, other, with_adam=False):
    """Median over the rounds: a load that lasts longer than a round weighs on both alike."""
    return statistics.median((a[0] + with_adam * a[1]) / (b[0] + with_adam * b[1])
                             for a, b in zip(ours.turns, other.turns))


def best(contestants, with_adam=False):
    return min(contestants, key=lambda c: c.median(with_adam))


class Contest:
    """One case: ours with each oneDNN, PyTorch in both layouts, and what bounds them."""

    def __init__(self, case, options):
        self.case, threads = case, str(options.threads)
        script = str(Path(__file__).with_name("cpu_step_torch.py"))

        def arguments(precision):
            return [case.network, case.shape, str(case.width), precision, threads]

        def ours(precision):
            return [Contestant(f"ours {precision}", [program, *arguments(precision)])
                    for program in options.ours]

        self.ours = ours(case.precision)
        self.ours_fp32 = ours("fp32") if case.precision != "fp32" else []
        self.others = [Contestant(f"PyTorch {layout}", [options.python, script,
                                                        *arguments(case.precision), layout])
                       for layout in ("contiguous", "channels_last")]
        self.sgemm = Contestant("sgemm", [options.python, script, "sgemm", threads])

    def run(self, rounds):
        everyone = [*self.ours, *self.ours_fp32, *self.others, self.sgemm]
        for c in everyone:
            c.warm_up()
        for _ in range(rounds):
            for c in everyone:
                c.turn()
        for c in everyone:
            c.end()

    def ratio(self, with_adam=False):
        return ratio(best(self.ours, with_adam), best(self.others, with_adam), with_adam)

    def report(self):
        case, gflop = self.case, self.ours[0].gflop
        ceiling = self.sgemm.gflop / self.sgemm.median()
        print(f"\n{case.name}, width {case.width}, {case.precision}: {gflop:.1f} GFLOP a step")
        print(f"  {'':45}{'step s':>9}{'GFLOP/s':>9}{'of sgemm':>9}{'with Adam s':>13}")
        for c in [*self.ours, *self.ours_fp32, *self.others]:
            share = gflop / self.sgemm.gflop / ratio(c, self.sgemm)
            print(f"  {c.label + ': ' + c.what.split(', ')[0]:45}{c.median():9.4f}"
                  f"{gflop / c.median():9.1f}{share:9.1%}{c.median(True):13.4f}")
        print(f"  {'sgemm, 4096 square, by PyTorch':45}{self.sgemm.median():9.4f}{ceiling:9.1f}")
        print(f"  ratio, the better of ours over the better of PyTorch: step {self.ratio():.3f}, "
              f"with Adam {self.ratio(True):.3f}", flush=True)
        if self.ours_fp32:
            faster = 1 / ratio(best(self.ours), best(self.ours_fp32))
            print(f"  {faster:.2f} times as fast as our own fp32", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/run.sh cpu-step")
    parser.add_argument("--ours", action="append", help=argparse.SUPPRESS)
    parser.add_argument("--python", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="cases with this text in their name")
    options = parser.parse_args()
    cases = [c for c in CASES if options.only in f"{c.name} {c.precision}"]
    if not cases:
        parser.error(f"no case has {options.only!r} in its name")
    print(f"{options.threads} threads, {options.rounds} rounds; in turns, medians")
    ratios = []
    for case in cases:
        contest = Contest(case, options)
        contest.run(options.rounds)
        contest.report()
        if case.precision == "fp32" or len(cases) == 1:
            ratios.append(contest.ratio())
    # every case has to hold, so the comparison is as good as its worst
    print(f"cpu-step ratio={max(ratios):.3f}")


if __name__ == "__main__":
    main()
