"""Plugins that do everything wrong: named, and harmless to the script and to every other backend."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.courier.report import report
from runcast.journal import Layout

HOSTILE = Path(__file__).parent / "hostile"
BACKENDS = ["opening", "delivering", "hanging", "misref", "misreceipt", "misstate", "twin"]
TRAIN = """
import runcast, sys
config = {"finish_timeout": 8}
with runcast.start("exp", backends=[*sys.argv[1:], "local"], config=config) as run:
    for step in range(20):
        run.log({"loss": 1.0}, step=step)
"""


def python(environment: dict[str, str], code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A script of its own, with the hostile plugins installed."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )


def test_each_is_named_with_what_is_wrong(environment: Callable[..., dict[str, str]], project: Path) -> None:
    """``runcast plugins`` lists all, healthy ones beside broken ones, and says so by its exit code."""
    code = "from runcast.cli import main; import sys; sys.argv = ['runcast', 'plugins', '--json']; main()"
    done = python(environment(HOSTILE), code)

    found = {
        each["name"]: each for each in json.loads(done.stdout) if each["distribution"] == "hostile-plugins"
    }
    assert done.returncode == 1
    assert "never tried" in found["importing"]["error"]
    assert found["mistyped"]["backends"] == ["misref", "misreceipt", "misstate"]
    assert "str is no subclass" in found["mistyped"]["error"]
    assert found["twin"] == {**found["twin"], "backends": ["twin"], "error": None}
    assert "taken by hostile-plugins" in found["twin_again"]["error"]
    assert "'mlflow' is built in" in found["twin_again"]["error"]
    assert all(found[name]["error"] is None for name in ("opening", "delivering", "hanging"))


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One run that logs to all of them and to a healthy backend: the process, its time, the report."""
    import os

    root = tmp_path_factory.mktemp("hostile")
    path = os.pathsep.join([str(HOSTILE), os.environ.get("PYTHONPATH", "")])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNCAST_")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *BACKENDS],
        capture_output=True,
        text=True,
        check=False,
        env={
            **kept,
            "PYTHONPATH": path,
            "HOME": str(root),
            "RUNCAST_CAPTURE": "false",
            "RUNCAST_SYSTEM_INTERVAL": "0",
        },
        cwd=root,
        timeout=90,
    )
    seconds = time.monotonic() - began
    layout = Layout(root / ".runcast")
    (run,) = layout.run_ids()
    return done, seconds, {each.backend: each for each in report(layout, run).backends}, root


def test_the_script_ends_well_and_in_time(aftermath: Any) -> None:
    """No exception, exit code 0, and no longer wait than was configured."""
    done, seconds, _, _ = aftermath

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert seconds < 30


def test_healthy_backends_get_everything(aftermath: Any) -> None:
    """The catalog, and a healthy plugin of the hostile package, have the whole run."""
    _, _, backends, _ = aftermath

    assert (backends["local"].state, backends["local"].records) == ("delivered", 22)
    assert (backends["twin"].state, backends["twin"].records) == ("delivered", 22)


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("opening", "paused", "LookupError"),
        ("hanging", "", ""),
        ("misref", "paused", "Ref"),
        ("misreceipt", "paused", "Receipt"),
        ("misstate", "paused", "state"),
    ],
)
def test_each_bad_one_is_told_apart(aftermath: Any, name: str, state: str, words: str) -> None:
    """The report says of each what it did; nothing of the run counts as delivered."""
    _, _, backends, _ = aftermath

    assert backends[name].state == (state or backends[name].state)
    assert words in backends[name].error
    assert backends[name].records == 0


def test_what_is_refused_is_kept_with_the_reason(aftermath: Any) -> None:
    """A backend that raises in ``deliver`` costs only its own records, each of which is kept aside."""
    _, _, backends, root = aftermath

    assert len(backends["delivering"].rejected) == 22
    (kept,) = root.glob(".runcast/runs/*/delivery/delivering/rejected.jsonl")
    assert "divided by zero" in kept.read_text()


def test_no_secret_of_theirs_is_written_down(aftermath: Any) -> None:
    """Passwords in their messages are masked in every file of runcast's and on the terminal."""
    done, _, _, root = aftermath

    written = [path for path in root.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert written == []
    assert "hunter2" not in done.stdout + done.stderr
