"""`runcast migrate` and `verify` as a user meets them: what is refused beforehand, and what is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from runcast.cli.app import build
from runcast.cli.migrating import EVERY, Lines
from runcast.migrate import Progress
from runcast.testing.clock import FakeClock

from .toy import Toy, a_run


def call(*arguments: str) -> Result:
    """One command, in this process."""
    return CliRunner().invoke(build(arguments[0]), [*arguments, "--jobs", "1"])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["tensorboard:./tb", "--map", "map.xlsx"], "written as .csv or .json"),
        (["tensorboard:./tb", "--map", "nowhere/map.csv"], "nowhere/map.csv cannot be written"),
        (["tensorboard:./tb", "--html", "nowhere/page.html"], "nowhere/page.html cannot be written"),
        (["local:notes.txt"], "notes.txt is a file: name a folder"),
        (["mlflow:./mlruns"], "MLflow 3 no longer writes to folders"),
    ],
)
def test_what_cannot_end_well_is_refused_at_once(
    toy: Toy, tmp_path: Path, options: list[str], why: str
) -> None:
    """Before a run is read, not after hours."""
    toy.runs_ = {"a": a_run()}
    (tmp_path / "notes.txt").write_text("mine")
    result = call("migrate", "toy:shelf", *options)
    assert result.exit_code == 2
    assert why in result.stderr
    assert toy.reads == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_a_destination_inside_its_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its runs would be found as the source's at the next call, and so on for ever."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    result = call("migrate", "tensorboard:./runs", "tensorboard:./runs/copy")
    assert result.exit_code == 2
    assert "is inside the source" in result.stderr


def test_strict_refuses_before_anything_is_written(toy: Toy, tmp_path: Path) -> None:
    """What would be lost, or kept in another form, is shown; what is fine goes through."""
    toy.runs_ = {"a": a_run()}
    result = call("migrate", "toy:shelf", "tensorboard:./tb", "--strict-mapped")
    assert result.exit_code == 1
    assert "in another form" in result.stdout
    assert not (tmp_path / "tb").exists()
    toy.breaks = {"a": 2}
    assert call("migrate", "toy:shelf", "local:there", "--strict").exit_code == 1
    assert not (tmp_path / "there").exists()
    toy.breaks = {}
    result = call("migrate", "toy:shelf", "local:there", "--strict", "--json")
    assert json.loads(result.stdout)["progress"]["delivered"] == 1


def test_what_has_not_come_is_no_success(toy: Toy, tmp_path: Path) -> None:
    """Runs that failed, and those never asked for, are told by `verify`; JSON has every field."""
    toy.runs_ = {name: a_run() for name in "abcd"}
    toy.breaks = {"b": 3}
    result = call("migrate", "toy:shelf", "local:there", "--run", "a", "--run", "b", "--json")
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)["runs"]
    assert good.keys() == bad.keys()
    assert (good["reason"], bad["reason"], bad["ref"]) == ("", "run b broke", None)

    result = CliRunner().invoke(build("verify"), ["verify", "toy:shelf", "local:there"])
    assert result.exit_code == 1
    assert "it is not in the destination: run b broke" in " ".join(result.stdout.split())
    assert "2 more runs of the source: never brought" in result.stdout
    result = CliRunner().invoke(
        build("verify"), ["verify", "toy:shelf", "local:there", "--run", "a", "--json"]
    )
    assert result.exit_code == 0
    (one,) = json.loads(result.stdout)
    assert (one["ok"], one["points"], one["differences"]) == (True, 10, [])


def test_a_page_without_a_comparison_is_no_success(toy: Toy, tmp_path: Path) -> None:
    """`verify --html` of what was never migrated says so, and writes nothing."""
    toy.runs_ = {"a": a_run()}
    result = CliRunner().invoke(
        build("verify"), ["verify", "toy:shelf", "local:there", "--html", "page.html"]
    )
    assert result.exit_code == 2
    assert "run `runcast migrate` first" in result.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_log_without_a_bar_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Each trouble once, and how far it is now and then; nothing where a bar says it."""
    clock = FakeClock()
    lines, silent = Lines(False, clock), Lines(True, clock)
    for trouble in ("", "no answer", "no answer", "", "no answer"):
        for each in (lines, silent):
            each.tell(Progress(runs=9, delivered=2, read=1234, trouble=trouble))
    clock.advance(EVERY)
    lines.tell(Progress(runs=9, delivered=3, read=1500))
    silent.tell(Progress(runs=9, delivered=3, read=1500))
    told = capsys.readouterr().err.splitlines()
    assert told == ["waiting: no answer", "waiting: no answer", "3 of 9 runs done, 1,500 records read"]
