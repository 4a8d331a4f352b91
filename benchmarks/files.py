"""What an artifact of 1 GB costs the training thread: linked, copied, and by each tracker's own client."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, isolated

SIZE = 1 << 30
"""Bytes of the file."""
_REPEATS = 3
_LINK_BAR = 5.0  # ms: a link, a few lookups of names, and one record


def rows() -> list[Row]:
    """One line per way; every way writes to the same disk, in turns."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source = Path(folder, "weights.bin")
        _write(source)
        copy = _best(lambda: _copied(source))
        linked = isolated("benchmarks.files:runcast_call", str(source), True, folder=f"{folder}/a")
        copied = isolated("benchmarks.files:runcast_call", str(source), False, folder=f"{folder}/b")
        wandb = isolated("benchmarks.files:wandb_call", str(source), folder=f"{folder}/c")
        mlflow = isolated("benchmarks.files:mlflow_call", str(source), folder=f"{folder}/d")
    return [
        Row("cp, 1 GB", _text(copy)),
        Row(
            "runcast, 1 GB, immutable=True",
            _text(linked),
            f"a link: under {_LINK_BAR:.0f} ms",
            linked < _LINK_BAR,
        ),
        Row("runcast, 1 GB, copied", _text(copied), "as fast as cp, ± 50 %", copied < 1.5 * copy),
        Row("wandb log_artifact, offline, 1 GB", _text(wandb)),
        Row("mlflow log_artifact, local store, 1 GB", _text(mlflow)),
    ]


def runcast_call(source: str, immutable: bool) -> float:
    """Milliseconds of one call, the best of a few, each on a fresh name of the file."""
    import runcast

    run = runcast.start("files", config={"delivery": "later"})
    took = []
    for number in range(_REPEATS):
        name = Path(source).with_name(f"again-{number}.bin")
        os.link(source, name)
        took.append(_timed(lambda name=name: run.log_artifact(name, immutable=immutable)))  # type: ignore[misc]
        name.unlink()
        shutil.rmtree(".runcast/blobs/held")  # room for the next
    return min(took)


def wandb_call(source: str) -> float:
    """Milliseconds until W&B's client has taken its own copy of the file."""
    import wandb

    run = wandb.init(mode="offline", dir=".", settings=wandb.Settings(console="off"))
    took = []
    for number in range(_REPEATS):
        artifact = wandb.Artifact(f"weights-{number}", "model")

        def call(artifact: Any = artifact) -> None:
            artifact.add_file(source)
            run.log_artifact(artifact)

        took.append(_timed(call))
    run.finish()
    return min(took)


def mlflow_call(source: str) -> float:
    """Milliseconds of one call to a local store."""
    import mlflow

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    took = []
    for _ in range(_REPEATS):
        with mlflow.start_run():
            took.append(_timed(lambda: mlflow.log_artifact(source)))
    return min(took)


def _write(path: Path) -> None:
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(block)
        os.fsync(file.fileno())


def _copied(source: Path) -> None:
    target = source.with_name("copy.bin")
    shutil.copyfile(source, target)
    target.unlink()


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1e3


def _best(call: Callable[[], Any]) -> float:
    return min(_timed(call) for _ in range(_REPEATS))


def _text(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
