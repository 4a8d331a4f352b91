"""Fixtures for tests of scripts that log with runcast; there as soon as runcast is installed.

Imported by every pytest of everybody who has runcast, so it imports nothing but pytest: the rest comes
with the first test that asks for a fixture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runcast.run import Run
    from runcast.testing.clock import FakeClock


@pytest.fixture
def runcast_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of this test's own for everything that runcast writes; nothing of the user's is read.

    Environment variables of runcast are cleared, its user file, caches and notes move into ``tmp_path``, and
    runs are delivered by threads of this process, which end with the test.
    """
    for name in [name for name in os.environ if name.startswith("RUNCAST_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / ".runcast"
    monkeypatch.setenv("RUNCAST_DIR", str(folder))
    monkeypatch.setenv("RUNCAST_DELIVERY", "thread")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    yield folder
    from runcast import session

    mine = session._sessions.pop(folder.absolute(), None)
    if mine is not None:
        mine.close()


@pytest.fixture
def runcast_run(runcast_dir: Path, request: pytest.FixtureRequest) -> Iterator[Run]:
    """A strict run that goes to memory; ``runcast.testing.recorded(run)`` tells what it has said.

    Misuse raises. Where the test has not finished the run, it ends with the test.
    """
    import runcast
    from runcast.testing.memory import MemoryBackend

    run = runcast.start("tests", name=request.node.name, backends=[MemoryBackend], strict=True)
    yield run
    run.finish()
    MemoryBackend.stores.get("default", {}).pop(run.id, None)


@pytest.fixture
def fake_clock() -> FakeClock:
    """A `runcast.testing.FakeClock` at 0 s."""
    from runcast.testing.clock import FakeClock

    return FakeClock()
