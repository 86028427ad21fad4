#!/usr/bin/env python3
"""Writes events.bin: the events of tests/test_events.c by TensorBoard's own messages and record
writer (pip install tensorboard; made with 2.21), then reads them with its reader."""

import math
import pathlib

from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1700000000.25
STEP = {"step/loss": 0.75, "step/grad_norm": math.nan, "step/learning_rate": 1e-3}
EPOCH = {"epoch/val_auc": math.nan, "epoch/val_loss": 0.5}


def scalars(step, values):
    event = Event(wall_time=TIME, step=step)
    for tag, value in values.items():
        if math.isfinite(value):
            event.summary.value.add(tag=tag, simple_value=value)
    return event


path = pathlib.Path(__file__).parent / "events.bin"
events = [Event(wall_time=TIME, file_version="brain.Event:2"),
          Event(wall_time=TIME, step=1, session_log=SessionLog(status=SessionLog.START)),
          scalars(100, STEP), scalars(300, STEP), scalars(300, EPOCH)]
with open(path, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString(deterministic=True))
    writer.flush()
assert [Event.FromString(e) for e in RawEventFileLoader(str(path)).Load()] == events
print(path.stat().st_size, "bytes")
