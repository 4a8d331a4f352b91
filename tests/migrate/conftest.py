"""A source that every test may fill, and a W&B server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runcast.plugins import manager

from .toy import Toy

# The suite runs with importlib's import mode, which adds no path.
sys.path += [path for path in [str(Path(__file__).parents[1])] if path not in sys.path]

from wandb_server import Server  # found by the path above


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A source that every address ``toy:`` leads to, in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    source = Toy()

    class Same(Toy):
        name: ClassVar[str] = "toy"

        def __new__(cls, *args: Any) -> Any:
            return source

    known = manager.source_class
    monkeypatch.setattr(
        "runcast.migrate.address.source_class", lambda name: Same if name == "toy" else known(name)
    )
    return source


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A W&B server with a registry of models, a key for it, and an empty project here."""
    home = tmp_path / "home"
    home.mkdir()
    names = ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR")
    for name in ("HOME", *names):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    monkeypatch.chdir(tmp_path)
    with Server() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        import wandb

        wandb.Api().create_registry("model", visibility="organization", organization="acme")
        yield running
        wandb.teardown()
    assert not running.unknown, "\n".join(running.unknown)
