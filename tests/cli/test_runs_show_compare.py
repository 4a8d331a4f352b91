"""The commands that read: what they print, as JSON and for people, and how they end."""

from __future__ import annotations

import json
import math
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from runcast import catalog
from runcast.cli import output
from runcast.cli.compare import compare_command
from runcast.cli.runs import runs_command
from runcast.cli.show import show_command
from runcast.records import Artifact, FileRef, Lost, Media, Note

if TYPE_CHECKING:
    from journals import Folder

T = 1_700_000_000_000_000_000
HOSTILE = "[red]x[/red] \x1b]0;owned\x07\x1b[2J\u202e\ud800\nsecond"

app = typer.Typer()
app.command("runs")(runs_command)
app.command("show")(show_command)
app.command("compare")(compare_command)


def call(rc: Folder, command: str, *arguments: str) -> Result:
    """Run one command on the folder."""
    return CliRunner().invoke(app, [command, *arguments, "--dir", str(rc.dir)])


def test_runs_as_a_table(rc: Folder) -> None:
    """Newest first, with status, duration and metrics."""
    rc.run("r1", name="old", metrics={"loss": [0.5]})
    rc.run("r2", name="new", start=T + 10**12, metrics={"loss": [0.25]}, status="failed")

    result = call(rc, "runs", "digits")

    lines = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert result.exit_code == 0
    assert lines[0] == ["id", "name", "status", "start", "duration", "points", "loss"]
    assert [line[:3] for line in lines[2:]] == [["r2", "new", "failed"], ["r1", "old", "finished"]]
    assert lines[2][-5:] == ["1", "min", "30", "s", "1"] or lines[2][-1] == "0.25"


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (200, ["id", "name", "status", "start", "duration", "points", "acc", "loss"]),
        (75, ["id", "name", "status", "start", "acc"]),
        (45, ["id", "name", "status"]),
    ],
)
def test_runs_in_a_narrow_terminal(
    rc: Folder, monkeypatch: pytest.MonkeyPatch, width: int, columns: list[str]
) -> None:
    """Columns that have no room are left out and named; an id is whole, because people copy it."""
    rc.run("0123456789abcdef", metrics={"loss": [0.5], "acc": [0.25]}, name="run-012345")
    console = output.console()

    def narrow() -> Any:
        console.width, console.file = width, sys.stdout
        return console

    monkeypatch.setattr(output, "console", narrow)
    result = call(rc, "runs", "digits")

    assert next(line.split() for line in result.stdout.splitlines() if line.strip()) == columns
    assert "0123456789abcdef" in result.stdout
    assert ("no room for" in result.stderr) == (width < 200)


def test_runs_as_json_is_what_the_functions_give(rc: Folder) -> None:
    """One array, one run a line; NaN as in journals; running and finished runs in one form."""
    rc.run("r1", params={"lr": 0.1}, metrics={"loss": [math.nan]})
    rc.run("r2", start=T + 1, status=None, metrics={"loss": [1.5]})

    result = call(rc, "runs", "--json")

    second, first = json.loads(result.stdout)
    assert len(result.stdout.splitlines()) == 4
    assert first.keys() == second.keys() == catalog.run("r1", dir=rc.dir).to_dict().keys()
    assert (first["params"], first["metrics"]["loss"]["last"]) == ({"lr": 0.1}, {"$float": "nan"})
    assert (second["status"], second["metrics"]["loss"]["max"]) == ("running", 1.5)


def test_runs_filters_sorts_and_limits(rc: Folder) -> None:
    """The options reach the catalog; a cut list says so on stderr."""
    for i in range(4):
        rc.run(f"r{i}", metrics={"acc": [i / 10]})

    found = call(rc, "runs", "--where", "metrics.acc > 0.05", "--sort=-metrics.acc", "--limit", "2", "--json")
    table = call(rc, "runs", "--limit", "1")

    assert [run["id"] for run in json.loads(found.stdout)] == ["r3", "r2"]
    assert "1 of 4 runs; --limit 0 lists all" in table.stderr
    assert len(json.loads(call(rc, "runs", "--limit", "0", "--json").stdout)) == 4


def test_no_runs_is_no_error(rc: Folder) -> None:
    """An empty list is a list."""
    assert json.loads(call(rc, "runs", "--json").stdout) == []
    assert (call(rc, "runs").exit_code, call(rc, "runs").stderr) == (0, "no runs\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs", "--where", "loss < 1"], "character 1: expected a field"),
        (["runs", "--sort", "speed"], "no field 'speed'"),
        (["show", "sgd-basline"], "did you mean sgd-baseline?"),
        (["compare", "sgd-baseline", "nothing"], "no run 'nothing'"),
        (["compare", "sgd-baseline", "--key", "x*"], "no metric matches x*"),
        (["compare", "sgd-baseline", "--html", "/nowhere/x.html"], "name another file after --html"),
    ],
)
def test_mistakes_end_with_2_and_a_message_on_stderr(rc: Folder, arguments: list[str], message: str) -> None:
    """Nothing on stdout, no traceback."""
    rc.run("r1", name="sgd-baseline", metrics={"loss": [1.0]})

    result = call(rc, *arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_a_newer_catalog_ends_with_1(rc: Folder) -> None:
    """The question was right; the answer failed."""
    rc.run("r1")
    rc.deliver("r1")
    rc.sql("PRAGMA user_version = 99")

    result = call(rc, "runs")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "pip install -U runcast" in result.stderr


def test_rebuild_counts_runs(rc: Folder) -> None:
    """The catalog is made anew before the list is printed."""
    rc.run("r1")
    rc.deliver("r1")
    rc.sql("UPDATE runs SET name = 'wrong'")

    result = call(rc, "runs", "--rebuild", "--json")

    assert "1 runs indexed, 0 left as they were" in result.stderr
    assert json.loads(result.stdout)[0]["name"] == "r1"


def test_show_tells_everything(rc: Folder) -> None:
    """For people, with the curve; the same as JSON, with every point."""
    digest = "d" * 64
    rc.run(
        "r1",
        Note(time=T, text="first line\nsecond line"),
        Media(time=T, key="sample", step=1, type="text", text="a text"),
        Artifact(time=T, name="m", type="model", files=[FileRef("w", digest, 2048)], digest=digest),
        Lost(time=T, key="bad", reason="no number", detail="'x'"),
        name="base",
        user="ann",
        params={"lr": 0.1},
        tags={"task": "cls"},
        metrics={"loss": [0.5, 0.25, 0.125]},
    )

    people = call(rc, "show", "base", "--curves")
    machine = call(rc, "show", "r1", "--curves", "--json")

    for shown in (
        "finished",
        "lr",
        "0.1",
        "task",
        "cls",
        "second line",
        "m:v0",
        "2.0 KiB",
        "a text",
        "no number",
    ):
        assert shown in people.stdout
    assert any("\u2800" < c < "\u2900" for c in people.stdout)
    whole = json.loads(machine.stdout)
    assert whole["history"]["loss"] == [[0, T, 0.5], [1, T + 10**9, 0.25], [2, T + 2 * 10**9, 0.125]]
    assert (whole["artifacts"][0]["aliases"], whole["media"][0]["text"]) == (["latest"], "a text")
    assert whole["losses"] == [{"key": "bad", "reason": "no number", "count": 1, "detail": "'x'"}]


def test_compare_marks_differences_and_draws(rc: Folder) -> None:
    """Params that differ carry a sign; curves have a legend; JSON has no drawing."""
    rc.run("r1", name="one", params={"lr": 0.1, "same": 1}, metrics={"val/loss": [3.0, 1.0], "x": [1]})
    rc.run("r2", name="two", params={"lr": 0.2, "same": 1}, metrics={"val/loss": [2.0, 0.5]})

    people = call(rc, "compare", "one", "two", "--key", "val/*")
    machine = call(rc, "compare", "r1", "r2", "--json")

    rows = {tuple(line.split()) for line in people.stdout.splitlines()}
    assert {("≠", "lr", "0.1", "0.2"), ("same", "1", "1"), ("val/loss", "1.0", "0.5")} <= rows
    assert "a one  b two" in people.stdout
    assert [row["differs"] for row in json.loads(machine.stdout)["params"]] == [True, False]


def test_compare_writes_one_private_page(rc: Folder, tmp_path: Path) -> None:
    """The page is written, and stdout stays free."""
    rc.run("r1", metrics={"loss": [3.0, 1.0]})
    target = tmp_path / "out.html"

    result = call(rc, "compare", "r1", "--html", str(target))

    assert (result.exit_code, result.stdout) == (0, "")
    assert target.read_text().startswith("<!doctype html>")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("command", [["runs"], ["show", "r1", "--curves"], ["compare", "r1", "r2"]])
def test_hostile_text_cannot_act_on_the_terminal(rc: Folder, command: list[str]) -> None:
    """Control and bidirectional characters are shown as escapes, markup is shown as written."""
    for run in ("r1", "r2"):
        rc.run(
            run,
            Note(time=T, text=HOSTILE),
            Lost(time=T, key=HOSTILE, reason=HOSTILE, detail=HOSTILE),
            Media(time=T, key=HOSTILE, step=0, type="text", text=HOSTILE),
            name=HOSTILE,
            experiment=HOSTILE,
            params={HOSTILE: HOSTILE, "n": [HOSTILE]},
            tags={HOSTILE: HOSTILE},
            metrics={HOSTILE: [1.0, 2.0]},
        )

    result = call(rc, *command)

    assert result.exit_code == 0
    assert result.stdout.replace("\n", "").isprintable()
    assert "[red]" in result.stdout
    assert "\\x1b" in result.stdout


def test_hostile_names_in_messages_are_shown_escaped(rc: Folder) -> None:
    """Also what the user typed comes back harmless."""
    rc.run("r1")

    result = call(rc, "show", "\x1b[2J\x07")

    assert result.exit_code == 2
    assert result.stderr.replace("\n", "").isprintable()
