"""Evaluation plots as PNG, for TensorBoard shows no SVG: it serves it without its type.

Matplotlib's figures are used without ``pyplot``, so that nothing of a script's own is touched.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 100
_MOST_BARS = 30
_MOST_LABELS = 25
_LONGEST_LABEL = 30


class Picture(NamedTuple):
    """A PNG, and its width and height in pixels."""

    png: bytes
    size: tuple[int, int]


def confusion_matrix(data: dict[str, Any]) -> Picture:
    """A heat map, with the counts in it where they can be read."""
    labels, matrix = [_plain(label) for label in data["labels"]], data["matrix"]
    figure, axes = _figure(6, 5)
    figure.colorbar(axes.imshow(matrix, cmap="Blues"), ax=axes)
    axes.set(xlabel="predicted", ylabel="true")
    if len(labels) <= _MOST_LABELS:
        axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 3 else 0)
        axes.set_yticks(range(len(labels)), labels)
        middle = max(map(max, matrix)) / 2
        for y, row in enumerate(matrix):
            for x, count in enumerate(row):
                colour = "white" if count > middle else "black"
                axes.text(x, y, f"{count:g}", ha="center", va="center", color=colour)
    return _picture(figure)


def roc_curve(data: dict[str, Any]) -> Picture:
    """True positive rate over false positive rate; the diagonal is chance."""
    figure, axes = _figure(6, 5)
    for one in data["classes"]:
        area = "" if one.get("auc") is None else f" ({one['auc']:.3f})"
        axes.plot(one["fpr"], one["tpr"], label=f"{_plain(one['label'])}{area}")
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    if len(data["classes"]) <= _MOST_LABELS:
        axes.legend()
    return _picture(figure)


def calibration(data: dict[str, Any]) -> Picture:
    """Observed frequency over predicted probability; the diagonal is perfect."""
    figure, axes = _figure(6, 5)
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axes.plot(data["predicted"], data["observed"], "o-")
    axes.set(xlabel="predicted probability", ylabel="observed frequency")
    return _picture(figure)


def feature_importance(data: dict[str, Any]) -> Picture:
    """Bars, the largest on top."""
    names, values = [_plain(name) for name in data["names"][:_MOST_BARS]], data["values"][:_MOST_BARS]
    errors = data.get("errors")
    figure, axes = _figure(7, 1 + 0.3 * len(names))
    axes.barh(range(len(names)), values, xerr=errors[: len(names)] if errors else None)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="importance")
    return _picture(figure)


def _plain(label: object) -> str:
    """A label that is no formula, and not too long to leave room for the plot."""
    text = str(label)
    return (text if len(text) <= _LONGEST_LABEL else f"{text[:_LONGEST_LABEL]}…").replace("$", r"\$")


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=_DPI, layout="constrained")
    return figure, figure.subplots()


def _picture(figure: Figure) -> Picture:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a character that the font lacks is drawn as a box
        figure.savefig(out, format="png", metadata={"Software": None})
    width, height = figure.get_size_inches()
    return Picture(out.getvalue(), (round(width * _DPI), round(height * _DPI)))
