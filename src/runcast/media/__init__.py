"""Values for ``run.log`` that are no numbers.

A value only holds what it was given; it is read when it is logged, so that making one costs nothing on a
rank that logs nothing, and cannot fail. What cannot be kept then becomes a `Problem`, never an exception.
Nothing here imports NumPy or any other library before a value needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from runcast.media.value import Value, is_media

if TYPE_CHECKING:
    from runcast.media.audio import Audio
    from runcast.media.curves import Calibration, PrCurve, RocCurve
    from runcast.media.embedding import Embedding
    from runcast.media.figure import Figure
    from runcast.media.graph import Graph
    from runcast.media.histogram import Histogram
    from runcast.media.image import Image
    from runcast.media.plots import ConfusionMatrix, FeatureImportance
    from runcast.media.recording import record
    from runcast.media.solids import Mesh, Object3D, PointCloud
    from runcast.media.table import Table
    from runcast.media.text import Html, Text
    from runcast.media.video import Video

_HOMES = {
    "Audio": "audio",
    "Calibration": "curves",
    "ConfusionMatrix": "plots",
    "Embedding": "embedding",
    "FeatureImportance": "plots",
    "Figure": "figure",
    "Graph": "graph",
    "Histogram": "histogram",
    "Html": "text",
    "Image": "image",
    "Mesh": "solids",
    "Object3D": "solids",
    "PointCloud": "solids",
    "PrCurve": "curves",
    "RocCurve": "curves",
    "Table": "table",
    "Text": "text",
    "Video": "video",
    "record": "recording",
}

__all__ = [
    "Audio",
    "Calibration",
    "ConfusionMatrix",
    "Embedding",
    "FeatureImportance",
    "Figure",
    "Graph",
    "Histogram",
    "Html",
    "Image",
    "Mesh",
    "Object3D",
    "PointCloud",
    "PrCurve",
    "RocCurve",
    "Table",
    "Text",
    "Value",
    "Video",
    "is_media",
    "record",
]


def __getattr__(name: str) -> Any:
    """Load a type when it is asked for, so that importing runcast stays cheap."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"runcast.media.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'runcast.media' has no attribute {name!r}")
