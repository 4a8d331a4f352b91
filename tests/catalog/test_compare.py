"""Runs side by side, drawn in a terminal and as a page."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from runcast import catalog
from runcast.catalog.compare import compare
from runcast.catalog.curves import curve
from runcast.catalog.plot import plot, text
from runcast.catalog.svg import ticks
from runcast.errors import UsageError

if TYPE_CHECKING:
    from journals import Folder

HOSTILE = "</td><script>alert(1)</script>\"'&\x1b[31m\ud800"
VOID = {"meta", "line", "circle", "path"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and sees that elements nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content."""
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        self.text.append(data)


def test_params_that_differ_are_told_from_those_that_agree(rc: Folder) -> None:
    """By value and type; a run that lacks one differs."""
    rc.run("r1", params={"same": [1], "type": 1, "value": 1, "lacks": 1})
    rc.run("r2", params={"same": [1], "type": "1", "value": 2})

    found = compare(["r1", "r2"], dir=rc.dir)

    assert {row.key: row.differs for row in found.params} == {
        "same": False,
        "type": True,
        "value": True,
        "lacks": True,
    }
    assert found.params[0].values == {"r1": 1}


def test_metrics_are_chosen_by_pattern(rc: Folder) -> None:
    """One that matches nothing is an error, with what there is."""
    rc.run("r1", metrics={"train/loss": [1.0], "val/loss": [2.0]})
    rc.run("r2", metrics={"val/acc": [0.5]})
    runs = catalog.runs(dir=rc.dir)

    assert [row.key for row in compare(runs).metrics] == ["train/loss", "val/acc", "val/loss"]
    assert [row.key for row in compare(runs, "val/*").metrics] == ["val/acc", "val/loss"]
    assert [row.key for row in compare(runs, ["*acc", "t*"]).metrics] == ["train/loss", "val/acc"]
    with pytest.raises(UsageError, match=r"no metric matches test/.*; there are: train/loss, val/acc"):
        compare(runs, "test/*")
    with pytest.raises(UsageError, match="at least one run"):
        compare([])


def test_labels_tell_runs_of_one_name_apart(rc: Folder) -> None:
    """The name alone where it is enough; a run that is named twice counts once."""
    for run, name in [("a1", "x"), ("b1", "x"), ("c1", "y")]:
        rc.run(run, name=name)

    found = compare(["a1", "b1", "c1", "a1"], dir=rc.dir)

    assert found.labels() == {"a1": "x (a1)", "b1": "x (b1)", "c1": "y"}


def test_thinned_out_curves_keep_their_peaks() -> None:
    """Spikes are what people look for; ends and order stay."""
    points = [(step, 0, math.sin(step / 500)) for step in range(50_000)]
    points[20_123] = (20_123, 0, 9.0)
    points[31_000] = (31_000, 0, -9.0)

    drawn = curve(points, 200)

    assert len(drawn) <= 200
    assert {max(drawn, key=lambda p: p[1]), min(drawn, key=lambda p: p[1])} == {(20_123, 9.0), (31_000, -9.0)}
    assert drawn == sorted(drawn)
    assert (drawn[0][0], drawn[-1][0]) == (0, 49_999)


def test_a_curve_goes_by_steps_and_has_gaps() -> None:
    """Steps logged backwards are put in order; what has no height is NaN."""
    drawn = curve([(2, 0, math.inf), (1, 0, True), (0, 0, 10**400), (3, 0, 2)])

    assert repr(drawn) == "[(0, nan), (1, 1.0), (2, nan), (3, 2.0)]"


def test_a_drawing_shows_shape_scale_and_ends() -> None:
    """A rising and a falling line: the letters stand at their ends, the axes name the extremes."""
    rising = [(step, float(step)) for step in range(11)]
    falling = [(step, 10.0 - step) for step in range(11)]

    lines = text(plot([rising, falling], 40, 10)).splitlines()

    assert len(lines) == 10
    assert (lines[0].split()[0], lines[0][-1]) == ("10.0", "a")
    assert (lines[7].split()[0], lines[7][-1]) == ("0.0", "b")
    assert lines[-1].split() == ["0", "10"]
    assert all(len(line) <= 40 for line in lines)


@pytest.mark.parametrize(
    "points",
    [
        [(5, 1.0)],
        [(0, 3.0), (9, 3.0)],
        [(-(2**63), -1.7e308), (2**63 - 1, 1.7e308)],
        [(0, math.nan), (1, 1e-320)],
        [(0, 1.7976931348623157e308)],
        [(0, 0.0), (1, 5e-324)],
    ],
)
def test_extreme_curves_can_be_drawn(points: list[tuple[int, float]]) -> None:
    """One point, a flat line, the ends of int64 and float64, gaps."""
    drawing = text(plot([points], 50, 8))

    assert "a" in drawing
    assert len(drawing.splitlines()) == 8


def test_nothing_to_draw_says_so() -> None:
    """Instead of an empty frame."""
    assert text(plot([[(0, math.nan)], []])) == "no finite values"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.1, 0.97, [0.2, 0.4, 0.6, 0.8]),
        (-1.7e308, 1.7e308, [-1e308, 0, 1e308]),
        (1e16, 1e16 + 4, None),
    ],
)
def test_ticks_are_round_and_inside(low: float, high: float, expected: list[float] | None) -> None:
    """Never none, whatever the range."""
    found = ticks(low, high)

    assert all(low <= tick <= high for tick in found)
    if expected is not None:
        assert found == pytest.approx(expected)
    assert 2 <= len(found) <= 7


def test_the_page_needs_nothing_else_and_shows_everything(rc: Folder) -> None:
    """Well-formed, no script, no reference to anything outside; curves with legend, axes and tooltips."""
    rc.run("r1", name="first", params={"lr": 0.1}, metrics={"loss": [3.0, 2.0, 1.0], "one": [5]})
    rc.run("r2", name="second", params={"lr": 0.2}, metrics={"loss": [2.5, math.nan, 0.5]})

    source = compare(["r1", "r2"], dir=rc.dir).html()
    page = Page(source)

    assert not {"script", "link", "img", "iframe", "object", "base"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import|src=|href=|\son\w+=", source)
    assert page.tags.count("figure") == 2
    assert sum("line c" in (value or "") for _, value in page.attributes) == 2 + 3  # legend and curves
    for shown in ("first", "second", "step 2\n1.0", "lr", "Comparison of 2 runs"):
        assert any(shown in part for part in page.text), shown
    assert ("class", "differs") in page.attributes


def test_hostile_text_is_nothing_but_text_on_the_page(rc: Folder) -> None:
    """In names, experiments, params, metrics: no tag, no attribute, no control character comes of it."""
    rc.run("r1", name=HOSTILE, experiment=HOSTILE, params={HOSTILE: HOSTILE}, metrics={HOSTILE: [1.0, 2.0]})

    source = compare(["r1"], dir=rc.dir).html()
    page = Page(source)

    assert "script" not in page.tags
    assert source.encode()  # lone surrogates would fail here
    assert source.replace("\n", "").isprintable()
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\ud800", "\\ud800")
    assert sum(shown in part for part in page.text) >= 6


def test_more_runs_than_colours_still_have_styles(rc: Folder) -> None:
    """Beyond eight colours lines are dashed; every class that is used is defined."""
    for i in range(30):
        rc.run(f"r{i:02}", metrics={"loss": [1.0 * i, 2.0]})

    source = compare([f"r{i:02}" for i in range(30)], dir=rc.dir).html()

    used = set(re.findall(r'class="line (c\d+)"', source))
    assert used <= set(re.findall(r"\.line\.(c\d+) ", source))
    assert len(used) == 24
