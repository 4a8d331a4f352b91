"""Which features a run uses: the table from records to the fields of `Capabilities`.

==============  ==========================================================================================
record          features
==============  ==========================================================================================
RunStarted      ``run_times``; ``nested`` with a parent
RunFinished     ``run_times``, ``status``
Params          ``params``; ``typed_params`` of what is no text; ``long_values``; ``any_name``
Tags            ``tags``; ``long_values``; ``any_name``
Note            ``notes``
Metrics         ``metrics``, ``metric_times``; ``float64``, ``int64``, ``nonfinite`` by value; ``any_step``
                where a metric's steps do not grow, or are negative; ``any_name``
System          ``system``
Define          ``summaries``
Media           by type, see `MEDIA`; ``masks`` of images that have them
Artifact        ``artifacts``; ``references`` of files that stay where they are
Model, Input    ``models``, ``inputs``
Environment     ``environment``
Trace           ``traces``
==============  ==========================================================================================
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any

from runcast.records import (
    Artifact,
    Define,
    Environment,
    Input,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    System,
    Tags,
    Trace,
)

MEDIA = {
    "text": "text",
    "html": "html",
    "image": "images",
    "figure": "figures",
    "audio": "audio",
    "video": "video",
    "table": "tables",
    "histogram": "histograms",
    "object3d": "objects3d",
    "point_cloud": "objects3d",
    "mesh": "objects3d",
    "embedding": "embeddings",
    "graph": "graphs",
    "confusion_matrix": "plots",
    "roc_curve": "plots",
    "pr_curve": "plots",
    "calibration": "plots",
    "feature_importance": "plots",
}
"""Type of a `Media` record → feature."""

LONG = 250
"""Characters above which some tracker shortens a param or tag."""
EXACT = 1 << 53
"""Integers beyond this are not all floats."""
_PLAIN = re.compile(r"[\w./\- ]{1,250}", re.ASCII)
_FLOAT32 = struct.Struct("<f")


class Features:
    """Counts what a stream of records uses; constant memory per name.

    Attributes:
        uses: feature → how many values, points or records use it.
    """

    def __init__(self) -> None:
        self.uses: Counter[str] = Counter()
        self._steps: dict[str, int] = {}
        self._names: dict[str, bool] = {}
        self._methods: dict[type, Callable[[Any], None]] = {
            RunStarted: self._started, RunFinished: self._finished, Params: self._params, Tags: self._tags,
            Metrics: self._metrics, Media: self._media, Artifact: self._artifact,
        }  # fmt: skip

    def take(self, record: Record) -> None:
        """One more record."""
        method = self._methods.get(type(record))
        if method is not None:
            method(record)
        elif feature := _WHOLE.get(type(record)):
            self.uses[feature] += 1

    def _started(self, record: RunStarted) -> None:
        self.uses["run_times"] += 1
        self.uses["nested"] += record.parent is not None

    def _finished(self, record: RunFinished) -> None:
        self.uses["run_times"] += 1
        self.uses["status"] += 1

    def _params(self, record: Params) -> None:
        for name, value in record.values.items():
            self.uses["params"] += 1
            self.uses["typed_params"] += not isinstance(value, str)
            self.uses["long_values"] += len(value if isinstance(value, str) else repr(value)) > LONG
            self._name(name)

    def _tags(self, record: Tags) -> None:
        for name, value in record.values.items():
            self.uses["tags"] += 1
            self.uses["long_values"] += len(value) > LONG
            self._name(name)

    def _metrics(self, record: Metrics) -> None:
        uses, step = self.uses, record.step
        uses["metrics"] += len(record.values)
        uses["metric_times"] += len(record.values)
        for name, value in record.values.items():
            if (feature := _of_value(value)) is not None:
                uses[feature] += 1
            last = self._steps.get(name)
            uses["any_step"] += step < 0 or (last is not None and step <= last)
            self._steps[name] = step
            self._name(name)

    def _media(self, record: Media) -> None:
        self.uses[MEDIA.get(record.type, record.type)] += 1
        items = record.data.get("items") or ()
        self.uses["masks"] += any("masks" in item or "boxes" in item for item in items)
        self._name(record.key)

    def _artifact(self, record: Artifact) -> None:
        self.uses["artifacts"] += 1
        self.uses["references"] += any(file.uri for file in record.files)

    def _name(self, name: str) -> None:
        unusual = self._names.get(name)
        if unusual is None:
            unusual = self._names[name] = not _PLAIN.fullmatch(name)
            self.uses["any_name"] += unusual


_WHOLE: dict[type, str] = {
    Note: "notes", System: "system", Define: "summaries", Model: "models", Input: "inputs",
    Environment: "environment", Trace: "traces",
}  # fmt: skip


def _of_value(value: float) -> str | None:
    """What holding one value of a metric takes beyond a float of 32 bits."""
    if type(value) is float:
        if not math.isfinite(value):
            return "nonfinite"
        try:
            return None if _FLOAT32.unpack(_FLOAT32.pack(value))[0] == value else "float64"
        except OverflowError:
            return "float64"
    return "int64" if type(value) is bool or abs(value) > EXACT else None
