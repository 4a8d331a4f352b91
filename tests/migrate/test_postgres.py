"""A MLflow database on PostgreSQL, as a source: all that MLflow's own client wrote into it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runcast.journal import Layout
from runcast.journal.reader import read_run
from runcast.migrate import migrate, prepare
from runcast.migrate.verify import verify
from runcast.records import Metrics, Model, Trace

from ..backends.mlflow.test_postgres import database as database
from ..backends.mlflow.test_postgres import server as server
from .test_links import _OUTSIDE, _WRITTEN

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


def test_everything_comes(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, models, traces, what belongs to no run, registered versions; a second time there is nothing."""
    monkeypatch.chdir(tmp_path)
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": database,
        "MLFLOW_REGISTRY_URI": database,
        "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    }
    for script in (_WRITTEN, _OUTSIDE):
        subprocess.run(
            [sys.executable, "-c", script], env=environment, cwd=tmp_path, check=True, capture_output=True
        )
    plan = prepare(f"mlflow:{database}", "local:there", tmp_path / "rc")
    progress = migrate(plan, jobs=2)
    assert (progress.failed, progress.models) == (0, 1)
    assert sorted(entry.name for entry in plan.manifest.runs.values()) == [
        "evaluate", "inner", "judge", "outside of runs", "train",
    ]  # fmt: skip
    results = list(verify(plan))
    assert [(result.name, result.problem, result.differences) for result in results if not result.ok] == []
    records = [
        record for entry in plan.manifest.runs.values() for record in read_run(Layout("there").run(entry.run))
    ]
    assert len([record for record in records if isinstance(record, Trace)]) == 4
    assert sorted(record.name for record in records if isinstance(record, Model)) == ["agent", "echo"]
    assert [r.values for r in records if isinstance(r, Metrics)] == [{"acc": 0.5}]
    assert migrate(plan, jobs=2).unchanged == 5
