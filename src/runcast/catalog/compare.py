"""Runs side by side: params with their differences, metrics, curves."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from runcast.catalog import curves as _curves
from runcast.catalog.curves import Curve
from runcast.catalog.model import RunInfo, Summary
from runcast.catalog.query import run as find
from runcast.catalog.values import json_in
from runcast.errors import UsageError


class ParamRow(msgspec.Struct, frozen=True):
    """One param: run id → value, without the runs that lack it."""

    key: str
    values: dict[str, Any]
    differs: bool


class MetricRow(msgspec.Struct, frozen=True):
    """One metric: run id → summary, without the runs that lack it."""

    key: str
    values: dict[str, Summary]


class Comparison(msgspec.Struct, frozen=True):
    """Runs side by side; `compare` makes one."""

    runs: list[RunInfo]
    params: list[ParamRow]
    metrics: list[MetricRow]

    def curves(self, most: int = 600) -> dict[str, dict[str, Curve]]:
        """Metric → run id → curve of about `most` points, read from the journals."""
        drawn: dict[str, dict[str, Curve]] = {row.key: {} for row in self.metrics}
        for run in self.runs:
            keys = [row.key for row in self.metrics if run.id in row.values]
            if keys:
                for key, points in run.history(*keys).items():
                    drawn[key][run.id] = _curves.curve(points, most)
        return drawn

    def labels(self) -> dict[str, str]:
        """Run id → its name, with the id where names are not enough."""
        names = [run.name for run in self.runs]
        return {
            run.id: run.name if run.name and names.count(run.name) == 1 else f"{run.name} ({run.id})"
            for run in self.runs
        }

    def html(self) -> str:
        """One page that needs nothing else: tables, and curves as inline SVG."""
        from runcast.catalog.page import render

        return render(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the curves."""
        return {
            "runs": [run.to_dict() for run in self.runs],
            "params": [msgspec.structs.asdict(row) for row in self.params],
            "metrics": [
                {"key": row.key, "values": {i: msgspec.structs.asdict(s) for i, s in row.values.items()}}
                for row in self.metrics
            ],
        }


def compare(
    runs: Sequence[RunInfo | str],
    keys: str | Sequence[str] | None = None,
    *,
    dir: str | Path | None = None,
) -> Comparison:
    """Put runs side by side.

    Args:
        runs: runs, or what `runcast.catalog.run` takes; one that is named twice counts once.
        keys: patterns with ``*`` and ``?`` for the metrics to take; all by default.
        dir: runcast's folder, where it is not the configured one.

    Raises:
        UsageError: there is no such run, or no metric matches `keys`.
    """
    found = [find(run, dir=dir) if isinstance(run, str) else run for run in runs]
    unique = list({run.id: run for run in found}.values())
    if not unique:
        raise UsageError("compare needs at least one run")
    patterns = ["*"] if keys is None else [keys] if isinstance(keys, str) else list(keys)
    every = sorted({key for run in unique for key in run.metrics})
    taken = [key for key in every if any(fnmatchcase(key, pattern) for pattern in patterns)]
    if keys is not None and not taken:
        raise UsageError(
            f"no metric matches {', '.join(patterns)}; there are: {', '.join(every[:10]) or 'none'}"
        )
    params = [
        _param(key, {run.id: run.params[key] for run in unique if key in run.params}, len(unique))
        for key in sorted({key for run in unique for key in run.params})
    ]
    metrics = [
        MetricRow(key, {run.id: run.metrics[key] for run in unique if key in run.metrics}) for key in taken
    ]
    return Comparison(unique, params, metrics)


def _param(key: str, values: dict[str, Any], runs: int) -> ParamRow:
    different = len({json_in(value) for value in values.values()}) > 1
    return ParamRow(key, values, different or len(values) < runs)
