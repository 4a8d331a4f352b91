"""A run to deliver, a server to upload it to, and nothing of this machine's own W&B."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The helper modules beside this file, and the stand-in for W&B's server; the suite runs with importlib's
# import mode, which adds no path.
sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from wandb_delivery import Delivery

from wandb_server import Server


@pytest.fixture
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No key, no netrc and no caches but the test's own."""
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "WANDB_ARTIFACT_DIR"):
        monkeypatch.setenv(name, str(home))
    return home


@pytest.fixture
def delivery(tmp_path: Path, private_home: Path) -> Delivery:
    """A run, offline."""
    return Delivery(tmp_path)


@pytest.fixture
def make_delivery(tmp_path: Path, private_home: Path) -> Callable[[], Delivery]:
    """Makes runs, each in a folder of its own."""
    made: list[Delivery] = []

    def make() -> Delivery:
        home = tmp_path / f"d{len(made)}"
        home.mkdir()
        made.append(Delivery(home))
        return made[-1]

    return make


@pytest.fixture
def server() -> Iterator[Server]:
    """A W&B server on loopback; afterwards, no question may have gone unanswered."""
    with Server() as running:
        yield running
    assert not running.unknown, "\n".join(running.unknown)


@pytest.fixture
def online(delivery: Delivery, server: Server, monkeypatch: pytest.MonkeyPatch) -> Delivery:
    """A run, online at the loopback server, uploaded at its end."""
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    delivery.options = {"base_url": server.url, "live": False}
    return delivery
