"""Reading in other processes: pools, a process that dies, dask."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcast.errors import ConfigError
from runcast.migrate import migrate, prepare
from runcast.migrate.readers import connected
from runcast.migrate.verify import verify

from .killing import fill


def test_processes_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them read; what they have read is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    fill(tmp_path / "source", runs=3, points=20)
    plan = prepare("local:source", "local:there")
    assert migrate(plan, jobs=2).delivered == 3
    assert all(result.ok for result in verify(plan))


def test_dask_workers_come_to_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster of two processes: the same journals, and every run is the same."""
    import distributed

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    fill(tmp_path / "source", runs=3, points=20)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    try:
        plan = prepare("local:source", "local:there")
        with connected(cluster.scheduler_address.replace("tcp://", "dask://")) as executor:
            progress = migrate(plan, executor=executor)
            assert migrate(plan, executor=executor).unchanged == 3
        assert (progress.delivered, progress.failed) == (3, 0)
        assert all(result.ok for result in verify(plan))
    finally:
        cluster.close()


def test_a_wrong_engine_is_explained() -> None:
    """With the form that it should have."""
    with pytest.raises(ConfigError, match="dask://HOST:PORT"), connected("ray://x"):
        pass
