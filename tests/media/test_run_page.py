"""``runcast show --html``: the page of a run, read as a browser reads it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import runcast
from runcast.cli.app import build

HOSTILE = "<script>alert(1)</script>"
PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
_ALONE = frozenset(("meta", "img", "br"))


class Page(HTMLParser):
    """Tags, text and embedded files; fails where tags do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.embedded: dict[str, list[bytes]] = {}
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it, and what it embeds."""
        self.tags.append(tag)
        if tag not in _ALONE:
            self.open.append(tag)
        source = dict(attrs).get("src")
        if source is not None:
            kind, _, data = source.partition(";base64,")
            self.embedded.setdefault(kind, []).append(base64.b64decode(data, validate=True))

    def handle_endtag(self, tag: str) -> None:
        """It closes the last one."""
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Parts of an SVG."""
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        """Text."""
        self.words.append(data)


@pytest.fixture
def page(run: runcast.Run, tmp_path: Path) -> Page:
    """The page of a run that has something of each kind."""
    box = {"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 1}
    for step in (0, 1):
        run.log({"loss": 1.0 - step, "same": runcast.Image(PIXELS + step, caption=HOSTILE)}, step=step)
    run.log({"marked": runcast.Image(PIXELS, boxes={"b": [box]})})
    run.log({"batch": runcast.Image([PIXELS, PIXELS], caption=["one", "two"])})
    run.log({"film": runcast.Video(np.arange(3 * 8 * 8 * 3, dtype=np.uint8).reshape(3, 8, 8, 3))})
    run.log({"tone": runcast.Audio(np.zeros(80), sample_rate=8000)})
    run.log({"words": runcast.Text(HOSTILE), "page": runcast.Html(HOSTILE)})
    run.log({"rows": runcast.Table([[i, HOSTILE] for i in range(60)], ["n", HOSTILE])})
    run.log(
        {"weights": runcast.Histogram([1.0, 2.0, 2.0], bins=2), "roc": runcast.RocCurve([0, 1], [0.1, 0.9])}
    )
    run.log({"cloud": runcast.PointCloud(np.zeros((2, 3)))})
    run.finish()
    target = tmp_path / "page.html"
    answer = CliRunner().invoke(build("show"), ["show", run.id, "--html", str(target)])
    assert answer.exit_code == 0, answer.output
    assert target.stat().st_mode & 0o077 == 0
    return Page(target.read_text())


def test_what_a_browser_can_show_is_there(page: Page) -> None:
    """The last value of each name: pixels as they were, a film, a sound, a table, drawings, curves."""
    pictures = [np.asarray(Image.open(io.BytesIO(data))) for data in page.embedded["data:image/png"]]
    text = " ".join(page.words)

    assert [picture.shape for picture in pictures[:1] + pictures[2:]] == [PIXELS.shape] * 3
    assert (pictures[0] == PIXELS + 1).all()
    assert pictures[1].shape[1] == 256  # with its box
    assert [Image.open(io.BytesIO(data)).n_frames for data in page.embedded["data:image/gif"]] == [3]
    assert page.embedded["data:audio/wav"][0].startswith(b"RIFF")
    assert page.tags.count("svg") == 4  # the loss and the key of its colour, the histogram, the ROC curve
    assert "60 rows and 2 columns in all" in text
    assert "step 1, the last of 2" in text
    assert {"one", "two"} <= set(page.words)


def test_what_is_not_shown_is_named(page: Page) -> None:
    """With the place of its file."""
    (words,) = (words for words in page.words if words.startswith("not shown"))

    assert Path(words.rpartition(" ")[2]).is_file()


def test_nothing_in_it_runs(page: Page) -> None:
    """Text is text, wherever it came from."""
    assert not {"script", "iframe", "object", "link"} & set(page.tags)
    assert " ".join(page.words).count(HOSTILE) >= 5
