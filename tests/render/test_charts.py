"""The evaluation plots as SVG: well-formed, complete, and safe whatever the labels say."""

from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from runcast.errors import Reject
from runcast.records import Media
from runcast.render import chart, svg

HOSTILE = '<script>alert("x")</script> & \x00\x1b \ud800 💥'
CURVE = {"label": HOSTILE, "fpr": [0.0, 0.0, 1.0], "tpr": [0.0, 1.0, 1.0], "thresholds": [None, 0.5, 0.1]}
CHARTS: dict[str, dict[str, Any]] = {
    "confusion_matrix": {"labels": ["cat", HOSTILE], "matrix": [[5, 1], [0, 12]]},
    "roc_curve": {"classes": [{**CURVE, "auc": 0.875}, {**CURVE, "label": "dog"}]},
    "pr_curve": {
        "classes": [
            {"label": "cat", "recall": [0.5, 1.0], "precision": [1.0, 0.66], "thresholds": [0.9, 0.1],
             "average_precision": 0.83}
        ]
    },
    "calibration": {"predicted": [0.1, 0.9], "observed": [0.0, 1.0], "counts": [7, 3], "brier": 0.01},
    "feature_importance": {"names": ["age", HOSTILE], "values": [-0.5, 0.25], "errors": [0.1, 0.0]},
}  # fmt: skip


def record(type: str, data: dict[str, Any], **more: Any) -> Media:
    """A record of a plot."""
    return Media(time=1, key="val/plot", step=1, type=type, data=data, **more)


def draw(type: str, data: dict[str, Any], **more: Any) -> str:
    """The chart of a record."""
    return svg(record(type, data, **more))


def texts(drawn: str) -> list[str]:
    """Everything that can be read in it."""
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter() if element.text]  # noqa: S314  # ours


@pytest.mark.parametrize("type", CHARTS)
def test_a_chart_is_one_safe_file(type: str) -> None:
    """Well-formed XML with a title, on white; labels are text, never markup; nothing is fetched."""
    drawn = draw(type, CHARTS[type])

    root = ElementTree.fromstring(drawn)  # noqa: S314  # ours
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "val/plot" in texts(drawn)
    assert "#ffffff" in drawn
    assert not [e.tag for e in root.iter() if e.tag.endswith(("script", "image", "use", "foreignObject"))]
    assert drawn.count("http") == 1
    assert drawn.encode("utf-8")


def test_the_numbers_can_be_read() -> None:
    """Counts in the cells, areas and scores in the legends, names on the axes, the caption above."""
    matrix = texts(draw("confusion_matrix", CHARTS["confusion_matrix"], caption="after epoch 3"))
    roc, pr = texts(draw("roc_curve", CHARTS["roc_curve"])), texts(draw("pr_curve", CHARTS["pr_curve"]))

    assert {"5", "12", "cat", "Predicted", "True", "after epoch 3"} <= set(matrix)
    assert any("AUC 0.875" in text for text in roc)
    assert {"False positive rate", "dog", "0.2", "1.0"} <= set(roc)
    assert {"cat (AP 0.830)", "Recall", "Precision"} <= set(pr)
    assert any("Brier 0.010" in text for text in texts(draw("calibration", CHARTS["calibration"])))
    assert "age" in texts(draw("feature_importance", CHARTS["feature_importance"]))


@pytest.mark.parametrize("type", CHARTS)
def test_a_chart_is_a_picture_too(type: str) -> None:
    """As PNG, twice as large as the SVG; the title and what it shows are drawn, on white."""
    size = ElementTree.fromstring(draw(type, CHARTS[type])).attrib  # noqa: S314  # ours
    with Image.open(io.BytesIO(chart(record(type, CHARTS[type])))) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)

    assert pixels.shape[1] == pytest.approx(2 * float(size["width"]), abs=2)
    assert pixels.shape[0] == pytest.approx(2 * float(size["height"]), abs=2)
    assert (pixels[0] == 255).all()
    assert pixels[20:60].min() < 80  # the title
    assert np.ptp(pixels, axis=2).max() > 60  # colours


def test_dashes_and_turned_labels() -> None:
    """A dashed diagonal has gaps; a name along the axis is higher than wide."""
    curve = {"label": "a", "fpr": [1.0], "tpr": [1.0]}
    with Image.open(io.BytesIO(chart(record("roc_curve", {"classes": [curve]})))) as picture:
        pixels = np.asarray(picture.convert("L"))
    across = np.arange(300, 600)
    left, bottom, wide = 2 * 64, 2 * (520 - 56), 2 * (520 - 64 - 20)
    down = (bottom - (across - left) * (bottom - 2 * 44) / wide).round().astype(int)
    drawn = pixels[down, across] < 200
    name = np.nonzero(pixels[100:900, 20:60] < 200)

    assert 0.2 < drawn.mean() < 0.8
    assert np.ptp(name[0]) > 5 * np.ptp(name[1])


def test_charts_with_very_many_classes_stay_readable() -> None:
    """Labels are thinned, the legend ends with the number of the others."""
    many = [str(i) for i in range(200)]
    matrix = draw("confusion_matrix", {"labels": many, "matrix": [[1] * 200] * 200})
    roc = texts(draw("roc_curve", {"classes": [{**CURVE, "label": label} for label in many]}))
    bars = texts(draw("feature_importance", {"names": many, "values": [1.0] * 200}))

    assert len(texts(matrix)) < 100
    assert "and 184 more" in roc
    assert "Importance (the first 30 of 200)" in bars


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("text", {}),
        *((type, {}) for type in CHARTS),
        ("confusion_matrix", {"labels": ["a"], "matrix": [[1, 2]]}),
        ("confusion_matrix", {"labels": ["a"], "matrix": [["<b>"]]}),
        ("roc_curve", {"classes": [{"label": "a", "fpr": ["x"], "tpr": ["y"]}]}),
        ("roc_curve", {"classes": [{"label": "a", "fpr": [1], "tpr": []}]}),
        ("calibration", {"predicted": [1], "observed": [1], "counts": ["<script>"]}),
        ("calibration", {"predicted": [1], "observed": [1], "counts": [1], "brier": "<script>"}),
        ("feature_importance", {"names": ["a"], "values": []}),
    ],
)
def test_data_of_another_form_is_rejected(type: str, data: dict[str, Any]) -> None:
    """Forged journals get the one error that the courier knows."""
    with pytest.raises(Reject):
        draw(type, data)
    with pytest.raises(Reject):
        chart(record(type, data))


NUMBERS = st.floats() | st.integers(-(10**30), 10**30)


def of_numbers(type: str, numbers: list[float], label: str) -> dict[str, Any]:
    """A plot whose every number is one of these."""
    many = len(numbers)
    found: dict[str, dict[str, Any]] = {
        "confusion_matrix": {"labels": [label] * many, "matrix": [numbers] * many},
        "roc_curve": {"classes": [{"label": label, "fpr": numbers, "tpr": numbers, "auc": numbers[0]}]},
        "pr_curve": {"classes": [{"label": label, "recall": numbers, "precision": numbers}]},
        "calibration": {"predicted": numbers, "observed": numbers, "counts": numbers, "brier": numbers[0]},
        "feature_importance": {"names": [label] * many, "values": numbers, "errors": numbers},
    }
    return found[type]


SOMETHING = (st.sampled_from(list(CHARTS)), st.lists(NUMBERS, min_size=1, max_size=4), st.text(max_size=8))


@settings(max_examples=150, deadline=None)
@given(*SOMETHING)
def test_any_numbers_are_drawn_or_rejected(type: str, numbers: list[float], label: str) -> None:
    """NaN, infinities and huge values give XML, or the one error."""
    try:
        drawn = draw(type, of_numbers(type, numbers, label))
    except Reject:
        return
    ElementTree.fromstring(drawn)  # noqa: S314  # ours


@settings(max_examples=20, deadline=None)
@given(*SOMETHING)
def test_any_numbers_are_a_picture_or_rejected(type: str, numbers: list[float], label: str) -> None:
    """The same of PNG."""
    try:
        drawn = chart(record(type, of_numbers(type, numbers, label)))
    except Reject:
        return
    with Image.open(io.BytesIO(drawn)) as picture:
        picture.verify()
