"""Masks and boxes on their picture: what is coloured, what stays, and what cannot be drawn."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from runcast.errors import Reject
from runcast.render import marked

TITLE = 16  # rows above a panel


def npy(path: Path, array: Any) -> Path:
    """A blob: an array under a name without a suffix."""
    with path.open("wb") as file:
        np.save(file, array)
    return path


def drawn(files: list[Path], item: dict[str, Any]) -> np.ndarray:
    """The pixels of the panels."""
    with Image.open(io.BytesIO(marked(files, 0, item))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """A picture without colour, as large as its panel."""
    return npy(tmp_path / "picture", np.full((200, 300, 3), 128, np.uint8))


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Which pixels are no grey."""
    return np.ptp(pixels.astype(int), axis=2) > 30


def test_a_mask_colours_its_classes_and_no_more(grey: Path, tmp_path: Path) -> None:
    """Class 0 shows the picture; each other class has a colour of its own; the legend is below."""
    mask = np.zeros((200, 300), np.uint8)
    mask[50:100, :100], mask[50:100, 200:] = 1, 2
    files = [grey, npy(tmp_path / "mask", mask)]

    pixels = drawn(files, {"masks": {"truth": {"file": 1, "classes": {"1": "car"}}}})

    panel = pixels[TITLE : TITLE + 200]
    assert pixels.shape == (TITLE + 200 + 2 * 16, 300, 3)
    assert (coloured(panel) == (mask != 0)).all()
    assert (panel[mask == 0] == 128).all()
    assert len({tuple(panel[60, 10]), tuple(panel[60, 250])}) == 2
    assert coloured(pixels[TITLE + 200 :]).any()


def test_boxes_stand_where_they_were_said_to(grey: Path) -> None:
    """Pixels and fractions alike; what reaches beyond the picture is cut at its edge."""
    pixel = {"position": {"minX": 30, "maxX": 90, "minY": 40, "maxY": 120}, "domain": "pixel", "class_id": 1}
    fraction = {"position": {"minX": 0.1, "maxX": 0.3, "minY": 0.2, "maxY": 0.6}, "class_id": 1}
    beyond = {"position": {"minX": -9, "maxX": 1e300, "minY": 40, "maxY": 120}, "domain": "pixel"}

    one, same, cut = (drawn([grey], {"boxes": {"b": {"boxes": [box]}}}) for box in (pixel, fraction, beyond))

    rows, columns = np.nonzero(coloured(one[TITLE:])[40:121])  # without the label above it
    assert (columns.min(), columns.max(), rows.max()) == (30, 90, 80)
    assert (one == same).all()
    assert coloured(cut[TITLE:])[60].nonzero()[0].tolist() == [0, 1, 298, 299]


def test_each_name_has_a_panel(grey: Path, tmp_path: Path) -> None:
    """Truth and guess side by side; a mask and boxes of one name share theirs."""
    files = [grey, npy(tmp_path / "mask", np.ones((200, 300), np.uint8))]
    box = {"boxes": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": 2}]}
    item = {"masks": {"truth": {"file": 1}, "guess": {"file": 1}}, "boxes": {"guess": box}}

    assert drawn(files, item).shape[1] == 2 * 300 + 6


@pytest.mark.parametrize(("size", "shown"), [((8, 8), (256, 256)), ((3000, 1500), (1024, 512))])
def test_a_panel_is_legible_and_small(tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]) -> None:
    """Small pictures are enlarged, so that labels can be read; large ones are reduced; masks follow."""
    picture = npy(tmp_path / "picture", np.full(size, 128, np.uint8))
    mask = np.zeros(size, np.uint16)
    mask[: size[0] // 2] = 65535

    pixels = drawn([picture, npy(tmp_path / "mask", mask)], {"masks": {"m": {"file": 1}}})

    panel = coloured(pixels[TITLE : TITLE + shown[0]])
    assert pixels.shape[1] == shown[1]
    assert panel[: shown[0] // 2].all()
    assert not panel[shown[0] // 2 :].any()


def test_masks_that_are_pictures(grey: Path, tmp_path: Path) -> None:
    """A PNG of grey values, and one with a palette: the numbers are the classes, not their colours."""
    mask = np.zeros((200, 300), np.uint8)
    mask[:, 150:] = 3
    flat, palette = Image.fromarray(mask), Image.fromarray(mask, "P")
    palette.putpalette([0, 0, 0] * 256)
    flat.save(tmp_path / "flat", "PNG")
    palette.save(tmp_path / "palette", "PNG")

    for name in ("flat", "palette"):
        panel = drawn([grey, tmp_path / name], {"masks": {"m": {"file": 1}}})[TITLE : TITLE + 200]
        assert (coloured(panel) == (mask == 3)).all()


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"masks": {"m": {"file": 7}}},
        {"masks": {"m": {}}},
        {"masks": {"m": {"file": 1}}},  # its shape is not that of the picture
        {"masks": ["m"]},
        {"boxes": {"b": {"boxes": [{"position": {"minX": 0}}]}}},
        {"boxes": {"b": {"boxes": [{"position": {"minX": "x", "maxX": 1, "minY": 0, "maxY": 1}}]}}},
        {"boxes": {"b": {"boxes": 3}}},
    ],
)
def test_what_is_no_mask_and_no_box_is_refused(grey: Path, tmp_path: Path, item: dict[str, Any]) -> None:
    """A stranger's record is refused by the one exception that backends expect."""
    with pytest.raises(Reject):
        marked([grey, npy(tmp_path / "mask", np.ones((3, 3), np.uint8))], 0, item)


NUMBERS = st.floats(allow_nan=False) | st.integers(-(1 << 70), 1 << 70)
BOXES = st.fixed_dictionaries(
    {
        "position": st.fixed_dictionaries(dict.fromkeys(("minX", "maxX", "minY", "maxY"), NUMBERS)),
        "domain": st.sampled_from(["pixel", "fraction"]),
        "class_id": st.integers(-(1 << 40), 1 << 40),
        "caption": st.text(max_size=90),
        "scores": st.dictionaries(st.text(max_size=9), NUMBERS, max_size=2),
    }
)


@settings(max_examples=40, deadline=None)
@given(boxes=st.lists(BOXES, max_size=5), name=st.text(max_size=90))
def test_any_boxes_can_be_drawn(
    boxes: list[dict[str, Any]], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Wherever they are, however they are called."""
    picture = npy(tmp_path_factory.getbasetemp() / "picture", np.zeros((40, 60), np.uint8))

    assert drawn([picture], {"boxes": {name: {"boxes": boxes}}}).shape[1] == 256
