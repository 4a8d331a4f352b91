"""The stand-in, W&B's own client pointed at it, and nothing of this machine's own W&B."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# The package is imported by its name; the suite runs with importlib's import mode, which adds no path.
sys.path.append(str(Path(__file__).parents[1]))

from wandb_server import Server


@pytest.fixture
def server() -> Iterator[Server]:
    """A stand-in; afterwards, no question may have gone unanswered."""
    with Server() as running:
        yield running
    assert not running.unknown, "\n".join(running.unknown)


@pytest.fixture
def client(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """W&B's own package, with a key for the stand-in only."""
    home = tmp_path / "home"
    home.mkdir()
    names = (
        "HOME",
        "WANDB_DIR",
        "WANDB_CACHE_DIR",
        "WANDB_DATA_DIR",
        "WANDB_CONFIG_DIR",
        "WANDB_ARTIFACT_DIR",
    )
    for name in names:
        monkeypatch.setenv(name, str(home))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_X_FILE_STREAM_TRANSMIT_INTERVAL", "1")  # the client takes whole seconds
    monkeypatch.chdir(tmp_path)
    import wandb

    yield wandb
    wandb.teardown()


@pytest.fixture
def start(client: Any) -> Callable[..., Any]:
    """Begins a run at the stand-in, without looking at this machine."""

    def begin(**options: Any) -> Any:
        settings = client.Settings(
            silent=True, console=options.pop("console", "off"), disable_git=True, disable_code=True,
            save_code=False, x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
            init_timeout=20, finish_timeout=options.pop("finish_timeout", 20), **options.pop("settings", {}),
        )  # fmt: skip
        return client.init(**{"project": "digits", "reinit": "create_new", "settings": settings, **options})

    return begin


@pytest.fixture
def command(client: Any) -> Callable[..., str]:
    """Runs W&B's own command; what it prints."""

    def run(*words: str) -> str:
        program = [str(Path(sys.executable).with_name("wandb")), *words]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run
