"""Runs of runcast's own folder whose journals are damaged: they are told, and what is left of them comes."""

from __future__ import annotations

from pathlib import Path

import pytest

import runcast
from runcast.journal import Layout
from runcast.migrate import migrate, prepare


def journal(folder: Path) -> Path:
    """The only segment of a run with a param and twenty points."""
    config = {"dir": str(folder), "delivery": "later", "capture": False}
    with runcast.start("exp", name="r", params={"lr": 0.1}, backends=["local"], config=config) as run:
        for step in range(20):
            run.log({"x": step / 4}, step=step)
    (path,) = Layout(folder).journal(run.id).glob("*.rcj")
    return path


@pytest.mark.parametrize("line", [0, 1], ids=["header", "first record"])
def test_a_run_without_its_beginning_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: int
) -> None:
    """What cannot be read is named; points behind the damage are in the destination."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    path = journal(tmp_path / "source")
    lines = path.read_bytes().split(b"\n")
    lines[line] = b"#" * len(lines[line])
    path.write_bytes(b"\n".join(lines))

    plan = prepare("local:source", "local:there")
    progress = migrate(plan)

    (entry,) = plan.manifest.runs.values()
    assert progress.runs == 1
    assert entry.reason
    if line == 1:
        assert "its experiment and name are lost" in entry.reason
        (info,) = runcast.runs(dir=tmp_path / "there")
        assert (info.experiment, info.metrics["x"].count) == ("default", 20)
