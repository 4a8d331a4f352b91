"""Fixtures for every test: a private home, a private runcast folder, and a fake tracker as a plugin."""

from __future__ import annotations

import os
import socket
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from .support.listening import guarded_bind

SUPPORT = Path(__file__).parent / "support"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test says in one line what a user would notice."""
    mute = {item.nodeid.partition("[")[0] for item in items if not _docstring(item)}
    if mute:
        raise pytest.UsageError(f"tests without a docstring: {sorted(mute)}")


def _docstring(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "function", None), "__doc__", None)


@pytest.fixture(autouse=True)
def private_world(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No test reads this user's settings, writes into the checkout, or meets another one's open run."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("RUNCAST_", "MLFLOW_", "WANDB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    # Tests of what a run records by itself switch it on; the others read back what was said, and no more.
    monkeypatch.setenv("RUNCAST_CAPTURE", "false")
    monkeypatch.setenv("RUNCAST_SYSTEM_INTERVAL", "0")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    yield
    from runcast import session, starting

    for run in starting._current:
        run.finish(timeout=0)
    starting._current.clear()
    session.close_all()


_engines: weakref.WeakSet[sqlalchemy.Engine] = weakref.WeakSet()
sqlalchemy.event.listen(
    sqlalchemy.Engine, "engine_connect", lambda connection: _engines.add(connection.engine)
)


@pytest.fixture(autouse=True)
def databases_are_let_go() -> Iterator[None]:
    """MLflow keeps every store that it has ever seen: its connections, and what it compiled for them."""
    yield
    for engine in _engines:
        engine.dispose()
        engine.clear_compiled_cache()


@pytest.fixture(scope="session", autouse=True)
def nobody_outside() -> Iterator[None]:
    """No server of a test listens to the network: binding elsewhere than on the loopback fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "bind", guarded_bind)
        yield


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder, which is the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass
class Fake:
    """The fake tracker's folder and its switch."""

    root: Path
    folder: Path = field(init=False)
    control: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.root / "tracker"
        self.control = self.root / "control"
        self.set("ok")

    def set(self, mode: str) -> None:
        """Begin to misbehave, or stop; see `fake_tracker`."""
        self.control.write_text(mode)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the backend."""
        return {"folder": str(self.folder), "control": str(self.control)}

    def config(self, **settings: Any) -> dict[str, Any]:
        """Configuration of a run that logs here."""
        return {"dir": str(self.root / "rc"), "fake": self.options, **settings}

    def received(self, run: str) -> list[dict[str, Any]]:
        """What the tracker holds of a run."""
        import fake_tracker

        return fake_tracker.received(self.folder, run)

    def steps(self, run: str) -> list[int]:
        """Steps of the metrics that the tracker holds of a run, in order."""
        return [record["step"] for record in self.received(run) if record["kind"] == "metrics"]


@pytest.fixture
def fake(project: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """The fake tracker, installed for this process and for every one that it starts."""
    monkeypatch.syspath_prepend(str(SUPPORT))
    path = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(SUPPORT), path])))
    return Fake(project)
