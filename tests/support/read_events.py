#!/usr/bin/env python3
"""What a run wrote for others to read: event files against steps.jsonl and metrics.csv, cost.json
against both. An own reader of the format; where TensorBoard and pandas are installed theirs, too.
Usage: read_events.py RUN EVERY"""

import csv
import importlib.util
import json
import math
import pathlib
import struct
import sys


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data, path):
    at = 0
    while at < len(data):
        head = data[at : at + 12]
        assert len(head) == 12, f"{path}: half a head at {at}"
        n, crc = struct.unpack("<QI", head)
        assert crc == masked(head[:8]), f"{path}: the checksum of a length at {at}"
        body = data[at + 12 : at + 12 + n]
        tail = data[at + 12 + n : at + 16 + n]
        assert len(tail) == 4 and struct.unpack("<I", tail)[0] == masked(body), f"{path}: at {at}"
        yield body
        at += 16 + n


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key % 8 == 0:
            value, at = varint(data, at)
        else:
            n = {1: 8, 5: 4}.get(key % 8)
            if n is None:
                assert key % 8 == 2, f"wire type {key % 8}"
                n, at = varint(data, at)
            value, at = data[at : at + n], at + n
        yield key >> 3, value


def read_files(run):
    """{tag: [(step, value)]} in the order of the files, and the number of starts."""
    found, starts = {}, 0
    for path in sorted((run / "tensorboard").iterdir()):
        assert "tfevents" in path.name, path
        for number, body in enumerate(records(path.read_bytes(), path)):
            event = dict(fields(body))
            assert 1e9 < struct.unpack("<d", event[1])[0] < 1e10, "seconds since 1970"
            assert (number == 0) == (event.get(3) == b"brain.Event:2"), f"{path}: version"
            if 7 in event:
                assert event[7] == b"\x08\x01" and number == 1, f"{path}: start"
                starts += 1
            for _, value in fields(event.get(5, b"")):
                value = dict(fields(value))
                (number_,) = struct.unpack("<f", value[2])
                found.setdefault(value[1].decode(), []).append((event[2], number_))
    return found, starts


def rounded(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def wanted(run, every):
    """What the other files say the events should be."""
    out = {}

    def put(tag, step, value):
        if value is not None and math.isfinite(value):
            out.setdefault(tag, []).append((step, rounded(value)))

    for line in (run / "steps.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["step"] % every == 0:
            for key in "loss", "learning_rate", "grad_norm", "peak_share":
                put("step/" + key, row["step"], row[key])
    with open(run / "metrics.csv", newline="") as file:
        for row in csv.DictReader(file):
            for key, text in row.items():
                if key not in ("epoch", "step"):
                    put("epoch/" + key, int(row["step"]), float(text) if text else None)
    return out


def near(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def compare(found, expected, what):
    for tag, values in expected.items():
        got = found.get(tag, [])
        assert [s for s, _ in got] == [s for s, _ in values], f"{what}: {tag}: steps {got} {values}"
        for (step, a), (_, b) in zip(got, values):
            assert near(a, b), f"{what}: {tag} of step {step}: {a}, {b}"


def check_steps(run):
    rows = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == list(range(1, len(rows) + 1)), "steps"
    for row in rows:
        parts = sum(row[k] for k in ("waited_s", "copied_s", "computed_s", "reduced_s"))
        assert min(row["waited_s"], row["copied_s"], row["computed_s"], row["reduced_s"]) >= 0
        assert parts <= row["seconds"] + 1e-5 or row["computed_s"] == 0, row
        assert parts >= row["seconds"] - 1e-5, row
        assert row["flop_per_s"] > 0
    return rows


def check_cost(run, rows):
    cost = json.loads((run / "cost.json").read_text())
    assert cost["schema"] == 1 and cost["from_step"] == 0 and cost["step"] == len(rows), cost
    assert cost["samples_seen"] == sum(r["n"] for r in rows), cost
    seconds = sum(r["seconds"] for r in rows)
    assert abs(cost["seconds"] - seconds) < 1e-4 * len(rows), (cost, seconds)
    assert abs(cost["device_hours"] * 3600 - seconds * cost["n_devices"]) < 1e-4 * len(rows), cost
    flop = 6 * cost["multiply_adds"] * rows[0]["n"]
    assert 0.5 * flop < rows[0]["flop_per_s"] * rows[0]["seconds"] < flop, "less the input's gradient"
    assert cost["parameters"] > 0 and cost["bytes_a_sample"] > 0 and cost["device"]


def tensorboard_files(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for tag in events.Tags()["tensors"]:
        found[tag] = [(e.step, float(tensor_util.make_ndarray(e.tensor_proto)))
                      for e in events.Tensors(tag)]
    return found


def main():
    run, every = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    expected = wanted(run, every)
    found, starts = read_files(run)
    compare(found, expected, "own reader")
    assert {"step/scenes_per_s", "step/waiting_ms", "step/copying_ms", "step/computing_ms",
            "step/reducing_ms"} <= set(found), sorted(found)
    rows = check_steps(run)
    check_cost(run, rows)
    said = [f"{len(found)} tags, {starts} starts, {len(rows)} steps"]
    if importlib.util.find_spec("tensorboard"):
        compare(tensorboard_files(run), expected, "TensorBoard")
        said.append("TensorBoard agrees")
    if importlib.util.find_spec("pandas"):
        import pandas

        for table in (pandas.read_csv(run / "metrics.csv"),
                      pandas.read_json(run / "steps.jsonl", lines=True)):
            assert all(t.kind in "if" for t in table.dtypes), table.dtypes
        said.append("pandas reads numbers")
    print("; ".join(said))


if __name__ == "__main__":
    main()
