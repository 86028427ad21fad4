#!/usr/bin/env python3
"""Training on up to 1,024 GPUs, by the model of docs/scaling.md; run by bench/run.sh scaling and smpi.

Bytes, seconds, GB/s of 1e9; every formula is written once, here, and explained there."""
import argparse
import csv
import math
import sys

# Parameters, multiply-adds of a scene forward and of its first layer, bytes of a scene: from
# c3d-train --plan configs/published-c3d.yaml --set data.bands='[blue, green, red, nir]'
#     --set model.outputs=1 [--set model.network=cnn2d]
NETWORKS = {
    "c3d": dict(params=78_001_601, macs=38_893_785_088, first=1_387_266_048, scene=1_605_632),
    "cnn2d": dict(params=59_564_993, macs=1_928_925_184, first=28_901_376, scene=100_352),
}
STATES = ("rank0", "replicated", "sharded")
BUCKET = 25 * 2**20  # distributed.bucket_mb
PIECE = 4 * 2**20    # bytes a call of MPI (src/comm/mpi.c)
EPOCH = 264_000      # scenes of the archive that the program was made for
# The columns of slurm/scaling.sbatch, then what only a model has.
COLUMNS = ("from,network,ranks,nodes,global_batch,optimizer_state,scenes_per_s,times_one_rank,"
           "efficiency,hidden,sum_gb_per_s,as_one_rank").split(",")
MORE = "link_gbit,step_ms,read_gb_per_s,gpu_hours_an_epoch".split(",")


def train_flop(network):
    """Forward and both backward passes, without the gradient of the input."""
    n = NETWORKS[network]
    return 6 * n["macs"] - 2 * n["first"]


class Machine:
    """GPUs in nodes, as an alpha-beta model sees them."""

    def __init__(self, args):
        self.gpus_a_node = args.gpus_a_node
        self.nvlink = args.nvlink * 1e9         # bytes/s, bus bandwidth inside a node
        self.memory = args.memory * 1e9         # bytes/s of a GPU
        self.alpha_near = args.alpha_near * 1e-6
        self.alpha_far = args.alpha_far * 1e-6
        self.launch = args.launch * 1e-6        # of a collective call
        self.links = args.links or args.gpus_a_node
        self.usable = args.usable               # share of a link's bits that arrive

    def nodes(self, ranks):
        return -(-ranks // self.gpus_a_node)

    def far(self, gbit):
        """bytes/s between nodes, all links of a node together"""
        return self.usable * self.links * gbit / 8 * 1e9

    def half(self, n, ranks, gbit):
        """A reduce-scatter or an all-gather of n bytes: a ring in each node, and a ring or a tree over
        nodes for every GPU's share."""
        g, m = min(ranks, self.gpus_a_node), self.nodes(ranks)
        near = (g - 1) * self.alpha_near + (g - 1) / g * n / self.nvlink
        if m == 1:
            return near
        ring = (m - 1) * self.alpha_far + (m - 1) / m * n / self.far(gbit)
        tree = math.ceil(math.log2(m)) * self.alpha_far + n / self.far(gbit)
        return near + min(ring, tree)

    def broadcast(self, n, ranks, gbit):
        """A chain through all in small pieces: its length counts once, whatever is sent after."""
        g, m = min(ranks, self.gpus_a_node), self.nodes(ranks)
        rate = self.nvlink if m == 1 else min(self.nvlink, self.far(gbit))
        return (g - 1) * self.alpha_near + (m - 1) * self.alpha_far + n / rate

    def update(self, n):
        """Adam on n bytes of float32 parameters: reads gradient, parameter and moments, writes the
        last three and a 16-bit copy: 30 bytes a parameter."""
        return 30 / 4 * n / self.memory


def step(machine, network, ranks, scenes, state, rate, gbit):
    """Seconds of a step of `scenes` a GPU, of its communication, and how much of that shows."""
    n = 4.0 * NETWORKS[network]["params"]
    work = scenes / rate
    update = machine.update(n)
    if ranks == 1:
        return work + update, 0.0, 0.0
    k = math.ceil(n / BUCKET)
    half = machine.half(n / k, ranks, gbit)
    bucket = machine.launch + (half if state == "sharded" else 2 * half)
    sums = k * bucket
    shown = max(bucket, sums - 2 / 3 * work)  # backward is two thirds, and hides all but the last
    if state == "replicated":
        after, sent = update, 0.0
    elif state == "sharded":
        sent = k * (machine.launch + half)
        after = update / ranks + sent
    else:  # rank 0 updates a bucket while the one before travels
        sent = k * machine.launch + machine.broadcast(n, ranks, gbit)
        after = max(update, sent) + min(update, sent) / k
    bare = update / ranks if state == "sharded" else update
    return work + shown + after, sums + sent, shown + after - bare


def row(machine, network, ranks, scenes, state, rate, gbit, alone=None, kind="modelled"):
    """alone: scenes of a step of one GPU, which the others are compared with."""
    seconds, comm, shown = step(machine, network, ranks, scenes, state, rate, gbit)
    alone = alone or scenes
    one = alone / step(machine, network, 1, alone, state, rate, gbit)[0]
    n = 4.0 * NETWORKS[network]["params"]
    k = math.ceil(n / BUCKET)
    speed = ranks * scenes / seconds
    times = speed / one
    gb = "-" if ranks == 1 else f"{n / k / (2 * machine.half(n / k, ranks, gbit)) / 1e9:.3g}"
    return dict(zip(COLUMNS + MORE, [
        kind, network, ranks, machine.nodes(ranks), round(ranks * scenes), state,
        f"{speed:.4g}", f"{times:.2f}", f"{times / ranks:.2f}",
        f"{max(0.0, 1 - shown / comm):.2f}" if comm else "-", gb, "-",
        gbit if machine.nodes(ranks) > 1 else "-", f"{1e3 * seconds:.1f}",
        f"{speed * NETWORKS[network]['scene'] / 1e9:.3g}",
        f"{EPOCH / speed * ranks / 3600:.3g}"]))


def print_rows(rows, columns, out=sys.stdout):
    cells = [columns] + [[str(r.get(c, "-")) for c in columns] for r in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for i, line in enumerate(cells):
        print("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |", file=out)
        if i == 0:
            print("| " + " | ".join("-" * w for w in widths) + " |", file=out)


# ---- the tables ---------------------------------------------------------------------------------

def numbers(most):
    return [2**i for i in range(most.bit_length()) if 2**i <= most]


def predict(args):
    machine, rows = Machine(args), []
    scenes = args.scenes or (64 if args.network == "c3d" else 256)
    rate = args.rate or {"c3d": 1800.0, "cnn2d": 24000.0}[args.network]
    for gbit in args.gbit:
        for state in args.states:
            for ranks in args.ranks or numbers(1024):
                each = args.global_batch / ranks if args.global_batch else scenes
                if each < 1 or (ranks <= args.gpus_a_node and gbit != args.gbit[0]):
                    continue
                rows.append(row(machine, args.network, ranks, each, state, rate, gbit,
                                args.global_batch, "modelled" if args.rate else "estimated"))
    print(f"{args.network}: {NETWORKS[args.network]['params'] / 1e6:.1f} M parameters, "
          f"{train_flop(args.network) / 1e9:.1f} GFLOP a scene; {rate:g} scenes/s and GPU "
          f"({'given' if args.rate else 'estimated'}); {args.links or args.gpus_a_node} links a node")
    print_rows(rows, [c for c in COLUMNS if c not in ("network", "as_one_rank")] + MORE)


def beside(args):
    """Rows that were measured, each with the model's from the measured speed of one rank."""
    with open(args.beside, newline="") as f:
        measured = list(csv.DictReader(f))
    alone = {m["network"]: m for m in measured if m["ranks"] == "1"}
    machine, rows = Machine(args), []
    for m in measured:
        rows.append(m)
        one = alone.get(m["network"])
        if m["network"] not in NETWORKS or not one or m["ranks"] == "1":
            continue
        ranks, nodes = int(m["ranks"]), int(m["nodes"])
        machine.gpus_a_node = -(-ranks // nodes)
        scenes = int(m["global_batch"]) / ranks
        batch = int(one["global_batch"])
        seconds = batch / float(one["scenes_per_s"])
        update = machine.update(4.0 * NETWORKS[m["network"]]["params"])
        rate = batch / max(seconds - update, 1e-9)
        rows.append(row(machine, m["network"], ranks, scenes, m["optimizer_state"], rate,
                        args.gbit[0], batch))
    print_rows(rows, COLUMNS)


# ---- the communicator over MPI, one rank a host, beside SimGrid's SMPI ---------------------------

def mpi_seconds(ranks, n, work, update, state, alpha, beta):
    """As src/comm/mpi.c does it: blocking, pieces of 4 MiB, sums by rings, broadcasts by a scatter
    and a ring; shares are summed as whole buffers and gathered by rings."""
    if ranks == 1:
        return work + update

    def cut(size):
        return [min(PIECE, size - at) for at in range(0, int(size), PIECE)]

    def ring(m):
        return 2 * (ranks - 1) * (alpha + m / ranks * beta)

    def broadcast(m):
        return (math.ceil(math.log2(ranks)) + ranks - 1) * alpha + 2 * (ranks - 1) / ranks * m * beta

    buckets = [min(BUCKET, n - at) for at in range(0, int(n), BUCKET)]
    sums = sum(ring(m) for b in buckets for m in cut(b))
    if state == "replicated":
        return work + sums + update
    if state == "rank0":
        return work + sums + update + sum(broadcast(m) for b in buckets for m in cut(b))
    return work + sums + update / ranks + sum((ranks - 1) * (alpha + b / ranks * beta) for b in buckets)


def host(args):
    """The ranks of one host, through its shared memory (src/comm/node.c): what all of them read and
    write, in units of n bytes, over what the memory gives."""
    n = 4.0 * (args.params or NETWORKS[args.network]["params"])
    rows = []
    for ranks in args.ranks or [2, 4]:
        bytes_moved = dict(
            replicated=5 * ranks - 1,                        # sum: put, add, take
            rank0=5 * ranks - 1 + 2 * ranks,                 # and a broadcast
            sharded=3 * ranks - 1 + 2 * ranks)               # reduce-scatter and all-gather
        for state in STATES:
            seconds = bytes_moved[state] * n / (args.host * 1e9)
            rows.append(dict(ranks=ranks, optimizer_state=state, communication_ms=f"{1e3 * seconds:.0f}",
                             of_replicated=f"{bytes_moved[state] / bytes_moved['replicated']:.2f}"))
    print_rows(rows, ["ranks", "optimizer_state", "communication_ms", "of_replicated"])


def smpi(args):
    """Simulated step times (lines "RANKS RANK0 REPLICATED SHARDED" of bench_smpi) beside the model."""
    n = 4.0 * NETWORKS["c3d"]["params"]
    lines = [line.split() for line in open(args.smpi) if line.strip()]
    table, worst = [], 0.0
    for line in lines:
        r = dict(ranks=int(line[0]))
        for state, seconds in zip(STATES, map(float, line[1:])):
            model = mpi_seconds(r["ranks"], n, args.work, args.update, state, 2e-6,
                                8e-9 / args.gbit[0])
            r[state] = f"{1e3 * seconds:.1f}"
            r[state + ", model"] = f"{1e3 * model:.1f}"
            worst = max(worst, abs(model / seconds - 1))
        table.append(r)
    print_rows(table, ["ranks"] + [s + m for s in STATES for m in ("", ", model")])
    if args.svg:
        plot(args.svg, [[float(x) for x in line] for line in lines])
    print(f"smpi ratio={1 + worst:.2f}")


def plot(path, lines):
    """Step time over ranks, one line a placement."""
    width, height, left, bottom, top = 640, 360, 60, 320, 30
    most = 1.1 * max(max(line[1:]) for line in lines)
    last = math.log2(lines[-1][0]) or 1

    def at(ranks, seconds):
        return (left + (width - left - 120) * math.log2(ranks) / last,
                bottom - (bottom - top) * seconds / most)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{left}" y="18">step [s] over ranks, one a host, simulated</text>']
    for i in range(6):
        x, y = at(1, most / 1.1 * i / 5)
        out += [f'<line x1="{x}" y1="{y:.1f}" x2="{width - 120}" y2="{y:.1f}" stroke="#ddd"/>',
                f'<text x="{x - 8}" y="{y + 4:.1f}" text-anchor="end">{most / 1.1 * i / 5:.2f}</text>']
    for line in lines:
        x, y = at(line[0], 0)
        out.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{int(line[0])}</text>')
    for k, (state, colour) in enumerate(zip(STATES, ("#c0392b", "#2471a3", "#1e8449"))):
        points = [at(line[0], line[1 + k]) for line in lines]
        dash = ' stroke-dasharray="6 4"' if state == "sharded" else ""
        out += ['<polyline fill="none" stroke-width="2" stroke="%s"%s points="%s"/>' % (
                    colour, dash, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)),
                f'<text x="{width - 112}" y="{top + 60 + 18 * k}" fill="{colour}">{state}</text>']
    with open(path, "w") as f:
        f.write("\n".join(out + ["</svg>", ""]))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--network", choices=NETWORKS, default="c3d")
    p.add_argument("--rate", type=float, help="measured scenes/s of one GPU (default: an estimate)")
    p.add_argument("--scenes", type=int, help="scenes of a step on each GPU (64; cnn2d 256)")
    p.add_argument("--global-batch", type=int, help="fixed instead, shared by all")
    p.add_argument("--states", nargs="+", choices=STATES, default=STATES)
    p.add_argument("--ranks", nargs="+", type=int, help="GPUs (1 2 4 ... 1024)")
    p.add_argument("--gbit", nargs="+", type=int, default=[400, 200], help="Gb/s of a link")
    p.add_argument("--links", type=int, help="links of a node (one a GPU)")
    p.add_argument("--gpus-a-node", type=int, default=8)
    p.add_argument("--nvlink", type=float, default=360, help="GB/s, bus bandwidth (360)")
    p.add_argument("--memory", type=float, default=4300, help="GB/s of a GPU (4300)")
    p.add_argument("--usable", type=float, default=0.9, help="of a link (0.9)")
    p.add_argument("--alpha-near", type=float, default=2, help="us, in a node (2)")
    p.add_argument("--alpha-far", type=float, default=6, help="us, between nodes (6)")
    p.add_argument("--launch", type=float, default=15, help="us, of a collective (15)")
    p.add_argument("--beside", metavar="CSV", help="scaling.csv of slurm/scaling.sbatch")
    p.add_argument("--host", type=float, metavar="GB/S",
                   help="communication of --ranks on one host, whose memory gives this")
    p.add_argument("--params", type=float, help="of a network of another size, with --host")
    p.add_argument("--smpi", metavar="FILE", help=argparse.SUPPRESS)
    p.add_argument("--svg", metavar="FILE", help=argparse.SUPPRESS)
    p.add_argument("--work", type=float, default=0.0356, help=argparse.SUPPRESS)
    p.add_argument("--update", type=float, default=0.00054, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.smpi:
        smpi(args)
    elif args.host:
        host(args)
    elif args.beside:
        beside(args)
    else:
        predict(args)


if __name__ == "__main__":
    main()
