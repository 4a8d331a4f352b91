"""``runcast gc`` as a user calls it, over what a real script left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.cli.app import run as cli
from runcast.journal import ProcessLock

SCRIPT = """
import runcast
for name, backends in (("here", ["local"]), ("there", ["local", "tensorboard"])):
    config = {"delivery": "thread", "capture": False, "system_interval": 0}
    with runcast.start("e", name=name, backends=backends, config=config) as run:
        run.log({"loss": 0.5})
        run.log_artifact("model.bin", name="model")
"""


def gc(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        cli(["gc", *arguments])
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two finished runs, one of them in TensorBoard as well; each has logged a file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("model.bin").write_bytes(b"weights" * 100)
    subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True
    )  # it has to be over, and it is not while we are
    return tmp_path


def test_gc_lists_then_removes_what_a_tracker_has(project: Path, capsys: Any) -> None:
    """Without --yes nothing changes; with it the run goes, and the other one's file can still be used."""
    code, out, _ = gc(capsys, "--older-than", "0s")
    assert code == 0
    assert "there" in out
    assert "--only-copy" in out  # what would remove the other one too
    assert len(list((project / ".runcast/runs").iterdir())) == 2

    code, out, _ = gc(capsys, "--older-than", "0s", "--yes", "--json")
    done = json.loads(out)
    assert (code, done["removed"], [run["name"] for run in done["runs"]]) == (0, True, ["there"])
    assert done["bytes"] >= done["runs"][0]["bytes"] > 0
    assert [run.name for run in runcast.runs()] == ["here"]
    started = project / "state" / "runcast" / "started"  # which runs `deliver` trusts
    assert [place.name for place in started.iterdir()] == [run.id for run in runcast.runs()]
    reader = runcast.start("e", backends=["local"], config={"delivery": "later", "capture": False})
    assert (reader.use_artifact("model").path / "model.bin").read_bytes() == b"weights" * 100
    reader.finish()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--older-than", "soon"], 2, "a number with a unit"),
        (["--only-copy"], 2, "needs --older-than or --keep"),
        (["--keep", "-1"], 2, "greater than or equal to 0"),
    ],
)
def test_gc_refuses_what_it_does_not_understand(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """Exit code 2, and what would be right."""
    monkeypatch.chdir(tmp_path)
    found, _, err = gc(capsys, *arguments)
    assert found == code
    assert message in err


def test_gc_of_nothing_and_of_a_busy_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """An empty place is no error, and none is made; beside a running script --yes exits with 1."""
    monkeypatch.chdir(tmp_path)
    assert gc(capsys, "--yes")[:2] == (0, "nothing to remove\n")
    assert not (tmp_path / ".runcast").exists()
    lock = ProcessLock(tmp_path / ".runcast" / "alive")
    try:
        code, _, err = gc(capsys, "--yes")
    finally:
        lock.release()
    assert code == 1
    assert "a script is running" in err
