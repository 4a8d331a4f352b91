"""Evaluation plots that have no dashboard: a picture, and their numbers.

The picture is a PNG, for TensorBoard serves SVG without its type, and no browser shows it then.
"""

from __future__ import annotations

import struct
from typing import Any

from runcast import render
from runcast.backends.tensorboard.media.medium import Medium
from runcast.backends.tensorboard.shown import grid
from runcast.errors import Reject
from runcast.formats.tfevents import image_value

_ROWS, _COLUMNS = 50, 30


def confusion_matrix(medium: Medium) -> None:
    """A heat map; counts by true class (rows) and predicted class (columns)."""
    labels, matrix = medium.record.data["labels"], medium.record.data["matrix"]
    names = [str(label) for label in labels]
    rows = [[name, *(_number(n) for n in row[:_COLUMNS])] for name, row in zip(names, matrix, strict=True)]
    _say(medium, ["true ↓ predicted →", *names[:_COLUMNS]], rows)


def roc_curve(medium: Medium) -> None:
    """A curve per class; the area under each."""
    rows = [[str(one["label"]), _number(one.get("auc"))] for one in medium.record.data["classes"]]
    _say(medium, ["class", "area under the curve"], rows)


def calibration(medium: Medium) -> None:
    """Observed frequency over predicted probability."""
    data = medium.record.data
    bins = zip(data["predicted"], data["observed"], data["counts"], strict=True)
    rows = [[_number(number) for number in row] for row in bins]
    _say(medium, ["predicted", "observed", "count"], rows)
    if data.get("brier") is not None:
        medium.words.append(f"Brier score {_number(data['brier'])}")


def feature_importance(medium: Medium) -> None:
    """Bars, the largest first."""
    data = medium.record.data
    errors = data.get("errors") or [None] * len(data["names"])
    features = zip(data["names"], data["values"], errors, strict=True)
    rows = [[str(name), _number(value), _number(error)] for name, value, error in features]
    _say(medium, ["feature", "importance", "±"], rows)


def _say(medium: Medium, head: list[str], rows: list[list[str]]) -> None:
    try:
        picture = render.chart(medium.record)
    except Reject as error:
        medium.degraded(f"shown as a table; it cannot be drawn: {error}")
    else:
        size = struct.unpack(">II", picture[16:24])
        medium.show(medium.tag, image_value(medium.tag, size, [picture]))
        medium.degraded("drawn as an image, with its numbers as a text: TensorBoard has no such plot")
    medium.words.append(grid(head, rows[:_ROWS]))
    if len(rows) > _ROWS or len(head) > _COLUMNS + 1:
        medium.degraded(f"the first {_ROWS} rows and {_COLUMNS} columns are shown; all are kept in the event")


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
