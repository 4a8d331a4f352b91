"""Whole migrations, to MLflow and back, compared point by point by `verify`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runcast.backends.mlflow import MlflowBackend
from runcast.migrate.engine import migrate, prepare
from runcast.migrate.verify import verify
from runcast.testing import golden
from runcast.testing.courier import Courier

from .test_native import file_store


def moved(source: str, destination: str, root: Path) -> None:
    """Migrate, and verify every run; a second time, nothing is new."""
    plan = prepare(source, destination, root)
    progress = migrate(plan, jobs=1)
    assert (progress.delivered, progress.failed) == (progress.runs, 0), plan.manifest.runs
    results = [result for result in verify(plan) if result.kind == "run"]
    assert len(results) == progress.runs
    assert [(r.name, r.problem, r.differences) for r in results if not r.ok] == []
    again = migrate(prepare(source, destination, root), jobs=1)
    assert (again.unchanged, again.records) == (progress.runs, 0)


def test_there_and_back(
    database: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow → local → another MLflow: equal at each stop, nested runs included."""
    monkeypatch.chdir(tmp_path)
    first, last = database("first"), database("last")
    uri = {"uri": f"sqlite:///{first}"}
    outer = Courier(MlflowBackend, uri, first.parent, golden.varied())
    outer.play()
    assert outer.ref is not None
    inner = Courier(MlflowBackend, uri, first.parent, golden.resumed(), parent=outer.ref)
    inner.play()

    moved(f"mlflow:sqlite:///{first}", f"local:{tmp_path}/middle", tmp_path / "a")
    moved(f"local:{tmp_path}/middle", f"mlflow:sqlite:///{last}", tmp_path / "b")


def test_file_store_to_sqlite(
    database: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file store with duplicate rows, on which ``mlflow migrate-filestore`` dies, arrives whole."""
    monkeypatch.chdir(tmp_path)
    root = file_store(tmp_path / "mlruns")

    there = f"mlflow:sqlite:///{database()}"
    moved(f"mlflow:{root}", there, tmp_path / "a")
    (model,) = [r for r in verify(prepare(f"mlflow:{root}", there, tmp_path / "a")) if r.kind != "run"]
    assert "the files of m:v2 are gone" in model.problem
