"""What differs between two runs, for people, for machines and as a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from runcast import codec
from runcast.journal import Blobs, JournalWriter
from runcast.records import Environment, FileRef, Input, Metrics, Params, Record, RunFinished, RunStarted

if TYPE_CHECKING:
    from .conftest import Repo


def write(
    repo: Repo, run: str, commit: str, patch: bytes, lr: float, versions: dict[str, str], digest: str
) -> None:
    """One run, as a script would have left it."""
    values = {
        "git": {"root": str(repo.root), "commit": commit, "dirty": True},
        "packages": versions,
        "gpus": [{"name": "A100"}] if run == "one" else [],
        "seeds": {"seed": 3},
    }
    file = FileRef("diff.patch", *Blobs(repo.layout.blobs).put_bytes(patch))
    records: list[Record] = [
        RunStarted(time=1, run=run, experiment="e", name=run),
        Params(time=2, values={"lr": lr, "same": 1}),
        Environment(time=2, values=values, files=[file]),
        Input(time=2, name="rows <b>", type="dataset", digest=digest),
        *(Metrics(time=3 + step, step=step, values={"loss": lr / (1 + step)}) for step in range(4)),
        RunFinished(time=9, status="finished"),
    ]
    writer = JournalWriter(repo.layout.journal(run), run)
    for record in records:
        writer.append(codec.encode(record))
    writer.close()


def two(repo: Repo) -> None:
    """Two runs that differ in everything."""
    first = repo.git("rev-parse", "HEAD").strip()
    repo.git("commit", "-qam", "second")
    second = repo.git("rev-parse", "HEAD").strip()
    write(repo, "one", first, b"+a = 1\n", 0.1, {"numpy": "1.0", "Gone_Pkg": "3"}, "a" * 64)
    write(repo, "two", second, b"+a = 2\n", 0.2, {"numpy": "2.0", "new": "1"}, "b" * 64)


def test_as_json(repo: Repo) -> None:
    """Params, code with files and patches, packages, devices, data, metrics."""
    two(repo)

    answer = repo.ask("diff", "one", "two")

    assert answer.code == 0, answer.err
    assert answer["params"] == [{"key": "lr", "one": 0.1, "other": 0.2, "differs": True}]
    assert answer["code"]["files"] == ["M train.py"]
    assert answer["code"]["patch"][-2:] == ["-+a = 1", "++a = 2"]
    assert answer["environment"]["packages"] == {
        "added": {"new": "1"},
        "removed": {"gone-pkg": "3"},
        "changed": {"numpy": ["1.0", "2.0"]},
        "known": True,
    }
    gpus = next(row for row in answer["environment"]["machine"] if row["key"] == "gpus")
    assert (gpus["one"], gpus["other"]) == (["A100"], [])
    assert answer["data"][0]["differs"]
    assert answer["metrics"][0]["values"]["two"]["last"] == 0.05


def test_for_people_and_as_a_page(repo: Repo) -> None:
    """The terminal shows what differs alone; the page has a curve of each run and is well-formed HTML."""
    from typer.testing import CliRunner

    from runcast.cli import app

    two(repo)
    command = app.build("diff")

    shown = CliRunner().invoke(command, ["diff", "one", "two"])
    page = repo.root / "data.html"
    made = CliRunner().invoke(command, ["diff", "one", "two", "--html", str(page)])

    assert (shown.exit_code, made.exit_code) == (0, 0)
    assert "lr" in shown.stdout
    assert "numpy" in shown.stdout
    assert "same " not in shown.stdout
    html = page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600
    assert html.count('<path class="line c') == 2 + 2  # two curves, and their keys
    for word in ("gone-pkg", "M train.py", "++a = 2", "A100", "rows &lt;b&gt;"):
        assert word in html
    assert "<script" not in html
    body = re.sub(r"<(meta|!doctype)[^>]*>", "", html)
    ElementTree.fromstring(body)  # noqa: S314  # our own page


def test_runs_that_are_alike_or_not_there(repo: Repo) -> None:
    """One run beside itself differs in nothing; an unknown one is named, with exit code 2."""
    two(repo)

    same = repo.ask("diff", "one", "one")
    unknown = repo.ask("diff", "one", "tow")

    assert same["params"] == same["code"]["patch"] == same["code"]["files"] == []
    assert not any(row["differs"] for row in same["environment"]["machine"])
    assert (unknown.code, "no run 'tow'" in unknown.err) == (2, True)
