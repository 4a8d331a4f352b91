"""Metrics as MLflow's points: a double, a time in ms, an int64 step."""

from __future__ import annotations

import math
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.plan import Plan
from runcast.errors import Reject
from runcast.records import Metrics, Scalar

_NS_PER_MS = 1_000_000


class Points:
    """Turns metrics records into points; remembers names, since a run says the same ones for ever."""

    def __init__(self, metric: Any) -> None:
        """`metric` is ``mlflow.entities.Metric``."""
        self._metric = metric
        self._natives: dict[str, str] = {}

    def add(self, plan: Plan, record: Metrics) -> None:
        """Plan the points of one record.

        Raises:
            Reject: the step is no int64.
        """
        step = record.step
        if not -(2**63) <= step < 2**63:
            raise Reject(
                f"metrics {', '.join(record.values)}: step {step} is beyond 64 bits, MLflow has no more"
            )
        milliseconds = record.time // _NS_PER_MS
        if milliseconds < 0:
            milliseconds = 0
            for key in record.values:
                plan.change("degraded", key, "MLflow refuses times before 1970: stored as 1970")
        metric, natives, points = self._metric, self._natives, plan.metrics
        for key, value in record.values.items():
            native = natives.get(key)
            if native is None:
                native = natives[key] = names.key(key)
            if native is not key and native != key:
                plan.rename(key, native)
            # x - x is 0.0 for every finite float and NaN for the three others.
            if type(value) is not float or value - value != 0.0:
                value = self._odd(plan, record, key, value)
            points.append(metric(native, value, milliseconds, step))

    def _odd(self, plan: Plan, record: Metrics, key: str, value: Scalar) -> float:
        """The double for a value that is no finite float; what it loses is in the line of its row."""
        if isinstance(value, bool):
            plan.change("degraded", key, "booleans are stored as 0 and 1")
        elif isinstance(value, int):
            try:
                double = float(value)
            except OverflowError:
                double = math.inf if value > 0 else -math.inf
            if math.isfinite(double) and int(double) == value:
                return double
            plan.change("degraded", key, "integers beyond 2^53 are rounded to the next double")
            return double
        elif math.isnan(value):
            return math.nan
        else:
            plan.change("degraded", key, "infinities are stored as the largest double")
        return float(value)
