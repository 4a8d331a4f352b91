"""The evaluation plots as self-contained SVG: dark on white, no script, no font but the reader's own."""

from __future__ import annotations

from collections.abc import Callable

from runcast.errors import Reject
from runcast.records import Media
from runcast.render.charts.bars import feature_importance
from runcast.render.charts.curves import calibration, pr_curve, roc_curve
from runcast.render.charts.matrix import confusion_matrix

_CHARTS: dict[str, Callable[[Media], str]] = {
    "calibration": calibration,
    "confusion_matrix": confusion_matrix,
    "feature_importance": feature_importance,
    "pr_curve": pr_curve,
    "roc_curve": roc_curve,
}


def svg(media: Media) -> str:
    """An evaluation plot as an SVG file; its title is the caption, or else the key.

    Raises:
        Reject: the record is of another type, or its `data` has another form than ``docs/media.md`` says.
    """
    draw = _CHARTS.get(media.type)
    if draw is None:
        raise Reject(f"{media.type!r} is no chart: {', '.join(_CHARTS)} are")
    try:
        return draw(media)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise Reject(
            f"{media.type} {media.key[:80]!r} has another form than its type: {type(error).__name__}: {error}"
        ) from error
