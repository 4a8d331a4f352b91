"""What people keep of a migration: the page, the map of ids, the lists."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runcast.cli.app import build
from runcast.migrate.sketch import CELLS, Sketch
from runcast.records import Metrics

from .toy import Toy, a_run


def call(*arguments: str, code: int = 0) -> str:
    """The output of one command."""
    result = CliRunner().invoke(build(arguments[0]), list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout


def test_one_page_has_both_curves_and_what_went_wrong(toy: Toy, tmp_path: Path) -> None:
    """Curves of source and destination, states, reasons; no script, no link, and names are only text."""
    toy.runs_ = {"a": a_run("<script>alert(1)</script>"), "b": a_run()}
    toy.breaks = {"b": 3}
    page = tmp_path / "report.html"
    arguments = ["migrate", "toy:shelf", "local:there", "--html", str(page), "--jobs", "1"]
    call(*arguments, code=1)
    text = page.read_text()
    assert "run b broke" in text
    assert "<script" not in text
    assert "://" not in text
    assert text.count('<path class="line c0"') == text.count('<path class="line c1"') == 3  # 2 metrics, key
    assert page.stat().st_mode & 0o077 == 0


def test_the_page_shows_what_differs(toy: Toy, tmp_path: Path) -> None:
    """As the comparison found it."""
    toy.runs_ = {"a": a_run()}
    call("migrate", "toy:shelf", "local:there", "--jobs", "1")
    toy.runs_ = {"a": a_run(lr=0.5)}
    call("verify", "toy:shelf", "local:there", "--html", "page.html", code=1)
    assert "1 difference<" in (tmp_path / "page.html").read_text()


def test_what_needs_a_look_comes_first(toy: Toy, tmp_path: Path) -> None:
    """A run that differs comes first, its curve is marked, and values that cannot be drawn are counted."""
    toy.runs_ = {"a": a_run("alpha"), "b": a_run("beta")}
    toy.runs_["a"].insert(-1, Metrics(time=toy.runs_["a"][-1].time, step=9, values={"x": math.nan}))
    call("migrate", "toy:shelf", "local:there", "--jobs", "1")
    toy.runs_["b"] = a_run("beta", points=7)
    call("verify", "toy:shelf", "local:there", "--html", "page.html", code=1)
    text = (tmp_path / "page.html").read_text()
    assert text.index(">name-b<") < text.index(">name-a<")
    curves = text[text.index("<h2>Curves") :]
    assert curves.index("name-b") < curves.index("name-a")
    assert curves.count("differs") == 4  # two metrics, each as a mark and in words
    assert "1 value is NaN or infinite, and not drawn" in curves


def test_old_ids_lead_to_new_ones(toy: Toy, tmp_path: Path) -> None:
    """As CSV and as JSON, at once and later."""
    toy.runs_ = {"a": a_run(), 'b,"c"': a_run()}
    call("migrate", "toy:shelf", "tensorboard:./tb", "--jobs", "1", "--map", "map.csv")
    (known,) = json.loads(call("migrations", "--json"))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "map.csv").read_text(), newline="")))
    assert [row["source"] for row in rows] == ["a", 'b,"c"']
    assert all((tmp_path / "tb" / row["destination"]).is_dir() for row in rows)
    assert list(csv.DictReader(io.StringIO(call("migrations", "--ids", known["id"]), newline=""))) == rows
    assert json.loads(call("migrations", "--ids", known["id"][:5], "--json")) == rows


def test_a_map_of_another_form_is_refused(toy: Toy) -> None:
    """By its name."""
    toy.runs_ = {"a": a_run()}
    call("migrate", "toy:shelf", "tensorboard:./tb", "--jobs", "1", "--map", "map.xlsx", code=2)


def test_again_brings_anew(toy: Toy, tmp_path: Path) -> None:
    """What was edited there is removed first; rollback by command takes everything back."""
    toy.runs_ = {"a": a_run()}
    call("migrate", "toy:shelf", "tensorboard:./tb", "--jobs", "1")
    (marker,) = tmp_path.glob("tb/*/*/runcast.json")
    (marker.parent / "notes.txt").write_text("mine")
    out = json.loads(call("migrate", "toy:shelf", "tensorboard:./tb", "--jobs", "1", "--again", "--json"))
    assert out["progress"]["delivered"] == 1
    assert not (marker.parent / "notes.txt").exists()
    assert "1 run removed" in call("rollback", out["migration"], "--force")
    assert not marker.parent.exists()


@pytest.mark.parametrize("points", [1, 5, 199, 5000])
def test_a_sketch_keeps_the_peaks(points: int) -> None:
    """However many points come, few are kept, and the highest and the lowest are among them."""
    sketch = Sketch()
    values = [float((step * 7919) % 1009) for step in range(points)]
    for step, value in enumerate(values):
        sketch.add(step, value)
    sketch.add(points, float("nan"))
    curve = sketch.curve()
    assert len(curve) <= 2 * (CELLS + 1)
    assert {min(values), max(values)} <= {value for _, value in curve}
    assert curve == sorted(curve)
