"""Whole stores with one damaged file, read by the source that ``runcast migrate`` reads them with.

What a source may do with damage is in `runcast.plugins.source.Source`: raise `SourceError`, `ConfigError` or
`OSError`, say `Lost`, or give less. Nothing of the store may change.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from runcast.backends.mlflow import MlflowBackend
from runcast.backends.tensorboard import TensorBoardBackend
from runcast.backends.wandb import WandbBackend
from runcast.errors import ConfigError, SourceError
from runcast.journal import Blobs, Layout
from runcast.plugins import Backend
from runcast.plugins.source import Selection, Source
from runcast.sources.local import LocalSource
from runcast.sources.mlflow import MlflowSource
from runcast.testing import Courier
from runcast.testing.golden import STORIES

META = b"""artifact_uri: /nowhere/artifacts
end_time: 1700000009000
experiment_id: '1'
lifecycle_stage: active
run_id: 0123456789abcdef0123456789abcdef
run_name: n
start_time: 1700000000000
status: 3
user_id: ada
"""
EXPERIMENT = b"""artifact_location: /nowhere
creation_time: 1700000000000
experiment_id: '1'
lifecycle_stage: active
name: e
"""
RUN = "1/0123456789abcdef0123456789abcdef"
MLRUNS = {
    "1/meta.yaml": EXPERIMENT,
    f"{RUN}/meta.yaml": META,
    f"{RUN}/metrics/loss": b"1700000000000 0.5 0\n1700000001000 nan 1\n1700000002000 2.5\n",
    f"{RUN}/params/lr": b"0.1",
    f"{RUN}/tags/mlflow.note.content": b"a note",
    f"{RUN}/inputs/i/meta.yaml": b"destination_id: d\ndestination_type: RUN\ntags: {context: train}\n",
    "1/datasets/d/meta.yaml": b"name: x\ndigest: abc\nsource_type: local\nsource: '{}'\nschema: '{}'\n",
}
"""A file store of MLflow's, by hand."""


def read(source: Source, store: Path, scratch: Path) -> None:
    """Every run, as `runcast migrate` does."""
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    try:
        for run in list(source.runs(Selection())):
            for _ in source.read(run, Blobs(scratch)):
                pass
    except (SourceError, ConfigError, OSError):
        pass
    finally:
        source.close()
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before


Files = Callable[[], dict[str, bytes]]


def path_of(files: Files, ending: str) -> str:
    """The one path that ends so."""
    [found] = [path for path in files() if path.endswith(ending)]
    return found


def content(files: Files, ending: str) -> tuple[bytes, ...]:
    """Of that file, undamaged."""
    return (files()[path_of(files, ending)],)


def in_store(files: Files, ending: str, source: Callable[[str], Source]) -> Callable[[bytes, Path], None]:
    """Reads a store in which one file has other bytes."""

    def attempt(data: bytes, folder: Path) -> None:
        store = folder / "store"
        for path, good in {**files(), path_of(files, ending): data}.items():
            (store / path).parent.mkdir(parents=True, exist_ok=True)
            (store / path).write_bytes(good)
        read(source(str(store)), store, folder / "scratch")

    return attempt


@cache
def delivered(backend: type[Backend], folder: str, **options: Any) -> dict[str, bytes]:
    """What a backend of runcast's makes of a run that says everything."""
    with tempfile.TemporaryDirectory() as root:
        courier = Courier(backend, options, Path(root), STORIES["everything"](), run="0123456789abcdef")
        courier.carry(courier.records)
        courier.close()
        store = Path(root, folder)
        files = {p.relative_to(store).as_posix(): p.read_bytes() for p in store.rglob("*") if p.is_file()}
    return {path: content for path, content in files.items() if len(content) < 1 << 20}


@cache
def mlflow() -> dict[str, bytes]:
    """MLflow's SQLite file, in small pages, of which few are empty: damage hits something."""
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "mlflow.db")
        path.write_bytes(delivered(MlflowBackend, ".", uri="sqlite:///mlflow.db")["mlflow.db"])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA page_size = 512")
            connection.execute("VACUUM")
        return {"mlflow.db": path.read_bytes()}


def from_database(folder: str) -> MlflowSource:
    """The source of the store in a folder."""
    return MlflowSource(f"sqlite:///{folder}/mlflow.db")


def tensorboard() -> dict[str, bytes]:
    """A folder of event files."""
    return delivered(TensorBoardBackend, "runs")


def wandb() -> dict[str, bytes]:
    """A folder of an offline run."""
    return delivered(WandbBackend, "wandb", mode="offline")


def foreign() -> dict[str, bytes]:
    """The same log without runcast's own file: a run that W&B's client might have written."""
    return {path: content for path, content in wandb().items() if path.endswith(".wandb")}


def local(data: bytes, folder: Path) -> None:
    """A journal of one damaged segment."""
    store = folder / "store"
    journal = Layout(store).journal("0123456789abcdef")
    journal.mkdir(parents=True)
    (journal / "00112233aabbccdd-0000.rcj").write_bytes(data)
    read(LocalSource(str(store)), store, folder / "scratch")
