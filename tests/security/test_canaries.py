"""Secrets that a script lets slip, searched for in every byte left behind and in all that is said."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("logs_everything.py")
PLACES = (
    "param", "nested", "listed", "text", "url", "error", "header", "span", "caption", "table", "note", "tag",
    "metadata", "key", "argv", "remote", "diff", "config",
)  # fmt: skip
TRACKERS = ("WANDB_API_KEY", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY", "HF_TOKEN")
BACKENDS = "mlflow,wandb,tensorboard,local"
COMMANDS = (
    ["status", "--all"], ["status", "--all", "--json"], ["runs"], ["runs", "--json"], ["show", "leaky"],
    ["show", "leaky", "--json"], ["show", "leaky", "--report"], ["show", "leaky", "--report", "--json"],
    ["compare", "leaky", "leaky"], ["compare", "leaky", "leaky", "--html", "page.html"], ["deliver"],
    ["plugins"], ["migrate", "local:", "local:copy"], ["doctor"], ["doctor", "--json"],
)  # fmt: skip
CONFIGURED = len(COMMANDS) - 2
"""From this command on, the configuration holds a URL with a password."""


@dataclass
class Left:
    """What is left behind.

    Attributes:
        root: the project.
        planted: where it slipped → the secret.
        said: what was said where.
    """

    root: Path
    planted: dict[str, str]
    said: dict[str, str]

    def leaks(self, *places: str) -> list[str]:
        """Each secret of these places that was found, and where."""
        found = [
            f"{p} in {where}" for p in places for where, text in self.said.items() if self.planted[p] in text
        ]
        for path in self.root.rglob("*"):
            found += [f"{p} in the name {path}" for p in places if self.planted[p] in path.name]
            if path.is_file() and path.name not in (
                "runcast.toml",
                "logs_everything.py",
                "config",
                "settings.py",
            ):
                data = path.read_bytes()
                found += [
                    f"{p} in {path.relative_to(self.root)}"
                    for p in places
                    if self.planted[p].encode() in data
                ]
        return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """One run of the script under Git, to four trackers; and every command after it."""
    root = tmp_path_factory.mktemp("canaries")
    planted = {name: f"zq{secrets.token_hex(14)}7" for name in (*PLACES, *TRACKERS)}
    (root / "data.txt").write_text("1 2 3")
    shutil.copy(SCRIPT, root)
    (root / "settings.py").write_text("password = ''\n")
    config = root / "runcast.toml"
    config.write_text('[mlflow]\nuri = "sqlite:///mlflow.db"\n[wandb]\nmode = "offline"\n')
    git(root, planted)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("RUNCAST_", "WANDB_", "MLFLOW_"))},
        **{f"PLANTED_{name.upper()}": planted[name] for name in PLACES},
        **{name: planted[name] for name in TRACKERS},
        "HOME": str(root / "home"), "RUNCAST_BACKENDS": BACKENDS, "RUNCAST_FINISH_TIMEOUT": "60",
        "RUNCAST_CAPTURE": "true", "WANDB_ERROR_REPORTING": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    said = {}
    arguments = [
        SCRIPT.name,
        "--api-key",
        planted["argv"],
        f"--db=postgresql://ada:{planted['argv']}@db.invalid/x",
    ]
    done = run(root, environment, *arguments)
    said["script's stdout"] = done.stdout
    # The interpreter prints the exception itself; that is the script's own doing.
    said["script's stderr"] = done.stderr.partition("Traceback")[0]
    assert "cannot connect to" in done.stderr, done.stderr
    for number, command in enumerate(COMMANDS):
        if number == CONFIGURED:
            config.write_text(f'[mlflow]\nuri = "http://ada:{planted["config"]}@127.0.0.1:9"\n')
        code = f"import sys; from runcast.cli import main; sys.argv = {['runcast', *command]!r}; main()"
        answer = run(root, environment, "-c", code)
        assert "Traceback" not in answer.stderr, answer.stderr
        said[f"runcast {' '.join(command)}"] = answer.stdout + answer.stderr
    return Left(root, planted, said)


def git(root: Path, planted: dict[str, str]) -> None:
    """A repository with a password in its remote and an uncommitted one in its code."""
    call = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(root)]
    for command in (["init", "-q"], ["add", "settings.py"], ["commit", "-qm", "m"]):
        subprocess.run([*call, *command], check=True, capture_output=True)
    url = f"https://ada:{planted['remote']}@git.invalid/repo.git"
    subprocess.run([*call, "remote", "add", "origin", url], check=True, capture_output=True)
    (root / "settings.py").write_text(f"password = '{planted['diff']}'\n")


def run(root: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python, in the project."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_everything_was_logged(left: Left) -> None:
    """To all four trackers, or this proves nothing."""
    status = json.loads(left.said["runcast status --all --json"])
    kept = [(b["backend"], b["pending"], b["state"]) for b in status[0]["backends"]]

    assert kept == [(name, 0, "delivered") for name in BACKENDS.split(",")]
    assert status[0]["status"] == "failed"
    shown = json.loads(left.said["runcast show leaky --json"])
    assert shown["params"]["api_key"] == "[redacted]"
    assert "cannot connect to" in shown["error"]
    journal = b"".join(path.read_bytes() for path in left.root.glob(".runcast/runs/*/journal/*.rcj"))
    for word in (
        b'"trace"',
        b'"artifact"',
        b'"input"',
        b'"environment"',
        b"git.invalid",
        b"db.invalid",
        b"example.invalid",
    ):
        assert word in journal, word
    for place in ("mlflow.db", "wandb", "runs", ".runcast/catalog.db"):
        assert (left.root / place).exists()


@pytest.mark.parametrize("place", [*PLACES, *TRACKERS])
def test_a_secret_is_found_nowhere(left: Left, place: str) -> None:
    """Not in journals, blobs, cursors, the catalog, any tracker's files, nor in what any command prints."""
    assert left.leaks(place) == []
