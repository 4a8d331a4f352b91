"""How fast event files are read, beside tbparse and the bare framing, in CPU seconds, and in what memory.

tbparse drags pandas along, so it is no dependency: set ``RUNCAST_TBPARSE`` to a Python that has it
(``python -m venv x && x/bin/pip install tbparse``). Without it only our own figures are shown.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, isolated

POINTS, TAGS = 300_000, 20
MANY = 3_000_000
_TBPARSE = """
import json, sys, time
from tbparse import SummaryReader
began = time.process_time()
count = len(SummaryReader(sys.argv[1]).scalars)
print(json.dumps([count, time.process_time() - began]))
"""


def write(folder: str, points: int) -> None:
    """A file as torch's ``SummaryWriter`` makes it: one float32 an event."""
    import struct

    from runcast.formats.tfevents import event, frame, version_event

    start = 1_700_000_000
    single = struct.Struct("<f")
    path = Path(folder) / "run" / f"events.out.tfevents.{start}.host.1.0"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(frame(version_event(start * 10**9)))
        for number in range(points):
            tag = f"train/metric{number % TAGS}".encode()
            value = b"\x0a" + bytes([len(tag)]) + tag + b"\x15" + single.pack(number * 0.37)
            payload = event(start * 10**9 + number * 1_000_000, number // TAGS, value)
            # Another writer's events do not have our exact time behind wall time and step.
            at = payload.index(b"\xc9\xcc\x25")
            file.write(frame(payload[:at] + payload[at + 11 :]))


def write_own(folder: str, points: int) -> None:
    """A run of our own backend's: all of a step in one event, most values with their double."""
    from runcast.formats.tfevents import ScalarEncoder, frame, version_event

    start = 1_700_000_000 * 10**9
    encoder = ScalarEncoder()
    path = Path(folder) / "run" / "events.out.tfevents.1700000000.abc"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(frame(version_event(start)))
        for step in range(points // TAGS):
            values = {f"train/metric{n}": step * 0.37 + n for n in range(TAGS)}
            file.write(frame(encoder.event(start + step, step, values, [])))


def through_source(folder: str) -> tuple[int, float, float]:
    """Points, seconds, and MiB that reading added to the process at most."""
    from runcast.journal import Blobs
    from runcast.plugins.source import Selection
    from runcast.records import Metrics
    from runcast.sources.tensorboard import TensorBoardSource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source = TensorBoardSource(folder)
    (run,) = source.runs(Selection())
    count = 0
    began = time.process_time()
    for record in source.read(run, Blobs(Path(folder) / "blobs")):
        if isinstance(record, Metrics):
            count += len(record.values)
    took = time.process_time() - began
    return count, took, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def framing(folder: str) -> tuple[int, float]:
    """The frames alone, with their checksums: what any reader in Python has to pay."""
    from runcast.formats.tfevents import FrameReader

    (path,) = Path(folder).glob("run/*")
    began = time.process_time()
    with path.open("rb") as file:
        count = sum(1 for _ in FrameReader(file))
    return count - 1, time.process_time() - began


def raw(folder: str) -> tuple[int, float]:
    """The bytes alone."""
    (path,) = Path(folder).glob("run/*")
    began = time.process_time()
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
    return path.stat().st_size, time.process_time() - began


def tbparse(folder: str) -> float | None:
    """Points per second of tbparse, None where there is none."""
    python = os.environ.get("RUNCAST_TBPARSE")
    if not python:
        return None
    command = [python, "-c", _TBPARSE, f"{folder}/run"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    count, seconds = json.loads(done.stdout.splitlines()[-1])
    assert count == POINTS
    return float(count / seconds)


def rows() -> list[Row]:
    """Lines of the table."""
    here = "benchmarks.tb_read:"
    with tempfile.TemporaryDirectory() as base:
        files: dict[str, Callable[[str, int], None]] = {"torch": write, "ours": write_own}
        for name, make in files.items():
            make(f"{base}/{name}", POINTS)
        write(f"{base}/many", MANY)
        # In turns, and the best of three: the machine has other work.
        rates = dict.fromkeys(files, 0.0)
        other = frames = bytes_ = 0.0
        for _ in range(3):
            for name in files:
                count, seconds, _ = isolated(here + "through_source", f"{base}/{name}")
                assert count == POINTS
                rates[name] = max(rates[name], count / seconds)
            count, seconds = isolated(here + "framing", f"{base}/torch")
            frames = max(frames, count / seconds)
            _, seconds = isolated(here + "raw", f"{base}/torch")
            bytes_ = max(bytes_, POINTS / seconds)
            other = max(other, tbparse(f"{base}/torch") or 0.0)
        _, _, little = isolated(here + "through_source", f"{base}/torch")
        _, _, much = isolated(here + "through_source", f"{base}/many")
    table = [Row("events of one float32 → records", f"{rates['torch']:,.0f} points/s")]
    if other:
        ratio = rates["torch"] / other
        table.append(Row("  ÷ tbparse", f"{ratio:.1f} x of {other:,.0f}", "≥ 5 x", ratio >= 5))
    table += [
        Row("  ÷ frames and checksums alone", f"{rates['torch'] / frames:.2f} x of {frames:,.0f}"),
        Row("  ÷ the file's bytes alone", f"{rates['torch'] / bytes_:.3f} x of {bytes_:,.0f}"),
        Row("our own events of 20 doubles → records", f"{rates['ours']:,.0f} points/s"),
        Row(f"memory, {POINTS:,} points", f"{little:.1f} MiB"),
        Row(f"memory, {MANY:,} points", f"{much:.1f} MiB", "≤ 20 MiB", much <= 20),
    ]
    return table
