"""Media values in the forms that W&B's own client writes; see ``docs/media.md`` for what comes in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runcast.backends.wandb.media import charts, files, graph, images, shapes, tables
from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject

_SHOW: Mapping[str, Callable[[Place], dict[str, Any]]] = {
    "html": files.html, "image": images.show, "figure": files.figure, "audio": files.audio,
    "video": files.video, "table": tables.show, "histogram": shapes.histogram, "object3d": files.object3d,
    "point_cloud": shapes.points, "mesh": shapes.mesh, "embedding": shapes.embedding, "graph": graph.show,
    "confusion_matrix": charts.confusion_matrix, "roc_curve": charts.roc_curve, "pr_curve": charts.pr_curve,
    "calibration": charts.calibration, "feature_importance": charts.feature_importance,
}  # fmt: skip


def show(place: Place) -> dict[str, str]:
    """The row's keys and JSON texts for a value that is no text.

    A content that is not what its type says is kept as a file, and its path stands in the row.

    Raises:
        Reject: a content is missing.
        OSError: a file cannot be read or written.
    """
    contents = place.record.contents
    for file in contents:
        place.source(file)
    try:
        value = _SHOW[place.record.type](place)
    except (Reject, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        value = _kept(place, error)
    if "_type" in value:
        value = {place.key: value}
    return {key: json.dumps(each) for key, each in value.items()}


def _kept(place: Place, error: Exception) -> dict[str, Any]:
    reason = str(error) if isinstance(error, Reject) else f"{type(error).__name__}: {error}"
    if not isinstance(error, Reject) and place.record.type not in _SHOW:
        reason = f"W&B has no media of type {place.record.type}"
    paths = [place.keep(file) for file in place.record.contents]
    kept = "kept below files/" + ", ".join(paths) if paths else "kept in the row as it was said"
    place.lesser(f"W&B cannot show it ({reason[:300]}): {kept}")
    said = {"runcast": place.record.type, "files": paths, **({} if paths else {"data": place.record.data})}
    return {place.key: json.dumps(said)}
