"""Histograms and evaluation plots as pictures: dark on white, the same as SVG and as PNG."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runcast.errors import Reject
from runcast.records import Media
from runcast.render.charts.bars import feature_importance
from runcast.render.charts.bins import histogram
from runcast.render.charts.canvas import Canvas
from runcast.render.charts.curves import calibration, pr_curve, roc_curve
from runcast.render.charts.matrix import confusion_matrix
from runcast.render.charts.raster import to_png
from runcast.render.charts.scalable import to_svg

T = TypeVar("T")
_CHARTS: dict[str, Callable[[Media], Canvas]] = {
    "calibration": calibration,
    "confusion_matrix": confusion_matrix,
    "feature_importance": feature_importance,
    "histogram": histogram,
    "pr_curve": pr_curve,
    "roc_curve": roc_curve,
}


def svg(media: Media) -> str:
    """A chart as an SVG file; its title is the caption, or else the key.

    Args:
        media: an evaluation plot, or a histogram with ``edges`` and ``counts``.

    Raises:
        Reject: the record is of another type, or its `data` has another form than ``docs/media.md`` says.
    """
    return _drawn(media, to_svg)


def chart(media: Media) -> bytes:
    """The same as PNG.

    Raises:
        Reject: as of `svg`; or Pillow is missing.
    """
    return _drawn(media, to_png)


def _drawn(media: Media, finish: Callable[[Canvas], T]) -> T:
    draw = _CHARTS.get(media.type)
    if draw is None:
        raise Reject(f"{media.type!r} is no chart: {', '.join(_CHARTS)} are")
    try:
        return finish(draw(media))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Reject(
            f"{media.type} {media.key[:80]!r} has another form than its type: {type(error).__name__}: {error}"
        ) from error
