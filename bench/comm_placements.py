"""Step time, communication and memory of c3d-train with each placement of Adam's state, and with sums
in order, on the ranks of this host; run by comm.sh:  comm_placements.py TRAIN CONFIG RANKS...
As comm_placements.py --rank FILE COMMAND... it runs a command and writes the memory it took."""
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys

CASES = {
    "rank0": ["optimizer.state=rank0"],
    "replicated": ["optimizer.state=replicated"],
    "sharded": ["optimizer.state=sharded"],
    "ordered": ["optimizer.state=rank0", "distributed.reduction=ordered"],
}
ROUNDS = 2
STEPS = 9  # of which the first, which makes plans, is not counted


def as_rank(file, command):
    code = subprocess.call(command)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    pathlib.Path(file + os.environ["OMPI_COMM_WORLD_RANK"]).write_text(f"{peak / 1024}\n")
    return code


def run(train, config, n, case):
    """(steps but the first, MiB of each rank)"""
    rank = [sys.executable, __file__, "--rank", "peak-"]
    job = ["mpirun", "--bind-to", "none", "--oversubscribe", "-np", str(n), *rank, train, config]
    job += ["--resume", "never"]
    threads = max(1, len(os.sched_getaffinity(0)) // n)  # ordered would take 1
    for setting in [*CASES[case], f"distributed.threads={threads}", f"train.max_steps={STEPS}",
                    "run.dir=placement"]:
        job += ["--set", setting]
    subprocess.run(["rm", "-rf", "placement"], check=True)
    with open("placement.log", "w") as log:
        if subprocess.call(job, stdout=log, stderr=log) != 0:
            sys.exit(pathlib.Path("placement.log").read_text()[-2000:])
    rows = pathlib.Path("placement/steps.jsonl").read_text().splitlines()
    peaks = [float(pathlib.Path(f"peak-{r}").read_text()) for r in range(n)]
    return [json.loads(row) for row in rows[1:]], peaks


def line(n, case, steps, peaks):
    median = {k: statistics.median(s[k] for s in steps)
              for k in ("seconds", "comm_s", "comm_waited_s")}
    comm = sum(s["comm_s"] for s in steps)
    hidden = max(0, 1 - sum(s["comm_waited_s"] for s in steps) / comm)
    print(f"{n:5} {case:11} {median['seconds'] * 1e3:8.0f} {median['comm_s'] * 1e3:14.0f}"
          f" {median['comm_waited_s'] * 1e3:10.0f} {hidden:8.0%} {peaks[0]:12.0f}"
          f" {max(peaks[1:]):12.0f}")


def main(train, config, *numbers):
    print(f"c3d-train, {ROUNDS} rounds in turns, medians of {STEPS - 1} steps, rank 0's times in ms")
    print("ranks state           step  communication   waits for   hidden  MiB, rank 0 MiB, others")
    for n in map(int, numbers):
        steps, peaks = {case: [] for case in CASES}, {}
        for _ in range(ROUNDS):
            for case in CASES:
                more, peaks[case] = run(train, config, n, case)
                steps[case] += more
        for case in CASES:
            line(n, case, steps[case], peaks[case])


if __name__ == "__main__":
    if sys.argv[1] == "--rank":
        sys.exit(as_rank(sys.argv[2], sys.argv[3:]))
    main(*sys.argv[1:])
