"""Clipping 2,000 windows x 45 months in turns: c3d-dataset against two rasterio scripts.

Contestants are this file with a --worker, and c3d-dataset; bench/build.sh starts it.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
import zlib
from pathlib import Path

SIDE, BLOCK, BANDS, SIZE = 4096, 256, 4, 112
SEED = 20240501


# ---- the archive and the frames ------------------------------------------------------------------


def month_name(i):
    return f"{2017 + i // 12}-{i % 12 + 1:02d}"


def draw_month(path, i):
    """Structure at several scales and noise, in 12 of 16 bits, as imagery compresses."""
    import numpy as np
    import rasterio
    from rasterio.transform import from_origin

    rng = np.random.default_rng(SEED + i)
    bands = []
    for band in range(BANDS):
        image = np.full((SIDE, SIDE), 1200.0 + 400 * band, np.float32)
        for scale, height in ((256, 500.0), (32, 160.0), (4, 60.0)):
            coarse = rng.standard_normal((SIDE // scale, SIDE // scale), np.float32)
            image += height * coarse.repeat(scale, 0).repeat(scale, 1)
        image += 25 * rng.standard_normal((SIDE, SIDE), np.float32)
        bands.append(np.clip(image, 1, 10000).astype(np.uint16))
    profile = dict(driver="GTiff", width=SIDE, height=SIDE, count=BANDS, dtype="uint16",
                   crs="EPSG:3857", transform=from_origin(-6e6, -1e6, 4.77731426716, 4.77731426716),
                   tiled=True, blockxsize=BLOCK, blockysize=BLOCK, interleave="pixel",
                   compress="zstd", predictor=2)
    part = path.with_suffix(".part")
    with rasterio.open(part, "w", **profile) as out:
        out.write(np.stack(bands))
    part.rename(path)


def make_archive(folder, n_months, n_distinct):
    """The first n_distinct months are drawn, the others are links to them."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n_months):
        path = folder / f"mosaic_{month_name(i)}.tif"
        if path.exists():
            continue
        if i < n_distinct:
            draw_month(path, i)
        else:
            os.link(folder / f"mosaic_{month_name(i % n_distinct)}.tif", path)
    return sorted(folder.glob("mosaic_*.tif"))


CONFIG = """\
data:
  mosaics: {archive}/mosaic_{{YYYY}}-{{MM}}.tif
  frame_size_px: {size}
  stride_px: {stride}
  split: random
  split_shares: [0.8, 0.1, 0.1]
"""


def make_frames(args, folder):
    """frames.gpkg of a grid, of which n_windows frames stay, drawn at random."""
    import random

    config = folder / "config.yaml"
    config.write_text(CONFIG.format(archive=folder / "archive", size=SIZE, stride=args.stride))
    shutil.rmtree(folder / "frames", ignore_errors=True)
    run([args.dataset, "frames", config, "--out", folder / "frames"])
    base = sqlite3.connect(folder / "frames" / "frames.gpkg")
    ids = [row[0] for row in base.execute("SELECT frame_id FROM frames ORDER BY frame_id")]
    if len(ids) < args.windows:
        sys.exit(f"build: {len(ids)} frames, {args.windows} wanted")
    gone = random.Random(SEED).sample(ids, len(ids) - args.windows)
    base.executemany("DELETE FROM frames WHERE frame_id = ?", ((i,) for i in gone))
    base.commit()
    rows = base.execute("SELECT frame_id, x, y FROM frames ORDER BY frame_id").fetchall()
    base.close()
    (folder / "windows.json").write_text(json.dumps(rows))
    return rows


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"build: {' '.join(map(str, command))}: exit {done.returncode}\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout


# ---- contestants: all write [window, month, band, y, x] of uint16 and sync it --------------------


def by_scene(files, rows, out):
    """The obvious loop: scene by scene, every month opened."""
    import numpy as np
    import rasterio
    from rasterio.windows import Window

    for i, (_, x, y) in enumerate(rows):
        scene = np.empty((len(files), BANDS, SIZE, SIZE), np.uint16)
        for month, path in enumerate(files):
            with rasterio.open(path) as source:
                scene[month] = source.read(window=Window(x, y, SIZE, SIZE))
        os.pwrite(out, scene, i * scene.nbytes)


def by_month(files, rows, out):
    """Every month opened once, windows in the order of its tiles."""
    import rasterio
    from rasterio.windows import Window

    order = sorted(range(len(rows)),
                   key=lambda i: (rows[i][2] // BLOCK, rows[i][1] // BLOCK, rows[i][2], rows[i][1]))
    n_bytes = BANDS * SIZE * SIZE * 2
    for month, path in enumerate(files):
        with rasterio.open(path) as source:
            for i in order:
                pixels = source.read(window=Window(rows[i][1], rows[i][2], SIZE, SIZE))
                os.pwrite(out, pixels, (i * len(files) + month) * n_bytes)


WORKERS = {"by_scene": by_scene, "by_month": by_month}


def work(args):
    """A process of its own; prints the seconds from its first opening to the end of its sync."""
    folder = Path(args.folder)
    files = sorted((folder / "archive").glob("mosaic_*.tif"))[:args.months]
    rows = json.loads((folder / "windows.json").read_text())
    if args.worker == "by_scene":
        rows = rows[::max(1, len(rows) // args.scenes)][:args.scenes]
    import numpy  # noqa: F401 imports are not timed
    import rasterio  # noqa: F401
    begin = time.monotonic()
    out = os.open(folder / "out.raw", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    WORKERS[args.worker](files, rows, out)
    os.fsync(out)
    os.close(out)
    print(json.dumps({"seconds": time.monotonic() - begin, "ids": [row[0] for row in rows]}))


def sums_of_raw(folder, ids, n_months):
    """CRC-32 of each window's pixels by frame id."""
    n_bytes = n_months * BANDS * SIZE * SIZE * 2
    with open(folder / "out.raw", "rb") as file:
        sums = {i: zlib.crc32(file.read(n_bytes)) for i in ids}
    (folder / "out.raw").unlink()
    return sums


def sums_of_store(store):
    """The same from /scenes, by its place in the file: h5py is not asked for."""
    program = ("import sys, zlib, json, h5py\n"
               "sums = {}\n"
               "for path in sys.argv[1:]:\n"
               "    with h5py.File(path) as file:\n"
               "        if (file['status'][:] != 1).any(): sys.exit(path + ': not whole')\n"
               "        for i, frame in enumerate(file['frame_id'][:]):\n"
               "            sums[int(frame)] = zlib.crc32(file['scenes'][i])\n"
               "print(json.dumps(sums))\n")
    shards = sorted(store.glob("scenes-*.h5"))
    return {int(k): v for k, v in json.loads(run([sys.executable, "-c", program, *shards])).items()}


def script(args, folder, name):
    line = run([sys.executable, __file__, "--worker", name, "--folder", folder,
                "--months", args.months, "--scenes", args.scenes])
    said = json.loads(line)
    return said["seconds"], sums_of_raw(folder, said["ids"], args.months)


def ours(args, folder):
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    shutil.copy(folder / "frames" / "frames.gpkg", store)
    begin = time.monotonic()
    run([args.dataset, "clip", folder / "config.yaml", "--out", store, *args.options.split()])
    seconds = time.monotonic() - begin
    sums = sums_of_store(store)
    shutil.rmtree(store)
    return seconds, sums


# ---- the rounds ----------------------------------------------------------------------------------


def check(name, sums, expected):
    wrong = [i for i in sums if sums[i] != expected.get(i)]
    if wrong or not sums:
        sys.exit(f"build: {name}: {len(wrong)} of {len(sums)} windows have other pixels")


def measure(args, folder):
    names = ("by scene", "by month", "c3d-dataset")
    times = {name: [] for name in names}
    for turn in range(args.rounds):
        seconds, scenes = script(args, folder, "by_scene")
        times["by scene"].append(seconds * args.windows / len(scenes))
        seconds, months = script(args, folder, "by_month")
        times["by month"].append(seconds)
        seconds, store = ours(args, folder)
        times["c3d-dataset"].append(seconds)
        check("by scene", scenes, months)
        check("c3d-dataset", store, months)
        load = os.getloadavg()[0]
        print(f"round {turn + 1}: " +
              ", ".join(f"{name} {times[name][-1]:.1f} s" for name in names) +
              f"; load {load:.1f}", flush=True)
    return times


def table(args, times):
    mine = times["c3d-dataset"]
    print(f"\n{'':<14}{'s':>8}{'scenes/s':>10}{'ours over it':>14}")
    ratios = {}
    for name, values in times.items():
        ratios[name] = statistics.median(m / v for m, v in zip(mine, values))
        middle = statistics.median(values)
        print(f"{name:<14}{middle:8.1f}{args.windows / middle:10.1f}{ratios[name]:14.3f}")
    print(f"by scene: {args.scenes} of the {args.windows} windows measured; all other lines are "
          "whole. Same pixels in all (CRC-32 of each window).")
    print(f"build-by-scene ratio={ratios['by scene']:.3f}")
    print(f"build ratio={ratios['by month']:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", required=True, help="scratch; 1 GB of mosaics, 10 GB of scenes")
    parser.add_argument("--dataset", help="the program c3d-dataset")
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--months", type=int, default=45)
    parser.add_argument("--distinct", type=int, default=9, help="months drawn; the others are links")
    parser.add_argument("--stride", type=int, default=64)
    parser.add_argument("--scenes", type=int, default=60, help="windows of the loop by scene")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--options", default="", help="of c3d-dataset clip")
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args)
        return
    folder = Path(args.folder).resolve()
    files = make_archive(folder / "archive", args.months, args.distinct)
    make_frames(args, folder)
    size = sum(f.stat().st_size for f in files[:args.distinct]) / args.distinct / 2**20
    print(f"{args.windows} windows of {SIZE} px x {args.months} months x {BANDS} bands from mosaics "
          f"of {SIDE} x {SIDE} uint16 in {BLOCK} px zstd tiles ({size:.0f} of "
          f"{SIDE * SIDE * BANDS * 2 / 2**20:.0f} MiB), on {len(os.sched_getaffinity(0))} cores; "
          f"{args.distinct} months are drawn, the others are links to them")
    table(args, measure(args, folder))


main()
