"""What a server says of its predictions: windows of them, and how far they are from the training data."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import runcast

BINS = 10
SCORE_EDGES = np.linspace(0, 1, 21)


def reference(values: Any) -> dict[str, list[Any]]:
    """A distribution in short: the deciles of its values, and how many values lie between them."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return {"edges": edges.tolist(), "counts": binned(values, edges).tolist()}


def binned(values: Any, edges: Any) -> Any:
    """How many values lie up to the first edge, between two, and above the last: one more than edges."""
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)


def psi(expected: Any, actual: Any) -> float:
    """Population stability index of two rows of counts: sum of (a - e) ln(a / e) over their shares.

    N. Siddiqi, Credit Risk Scorecards (2006): below 0.1 little has changed, above 0.25 much. Half a count is
    added to each bin, so that an empty one gives a finite value.
    """
    e, a = (np.asarray(counts) + 0.5 for counts in (expected, actual))
    e, a = e / e.sum(), a / a.sum()
    return float(np.sum((a - e) * np.log(a / e)))


def by_chance(expected: Any, n: int) -> float:
    """The index to expect of `n` values of the very same distribution: (bins - 1)(1/n + 1/m).

    B. Yurdakul, Statistical Properties of Population Stability Index (2018).
    """
    return (len(expected) - 1) * (1 / n + 1 / max(1, sum(expected)))


class Seen(NamedTuple):
    """One answered request.

    Attributes:
        ms: how long it took.
        inputs: rows × columns.
        scores: one per row, in [0, 1].
    """

    ms: float
    inputs: Any
    scores: Any


class Window:
    """Collects what many threads answer; each answer is taken out once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[Any, list[Seen]] = {}

    def add(self, model: Any, seen: Seen) -> None:
        """Count an answer of this model."""
        with self._lock:
            self._seen.setdefault(model, []).append(seen)

    def take(self) -> dict[Any, list[Seen]]:
        """Everything since the last call, by model; the next window begins."""
        with self._lock:
            seen, self._seen = self._seen, {}
        return seen


def summary(seen: Sequence[Seen], training: Mapping[str, Any]) -> dict[str, Any]:
    """What `run.log` takes of a window.

    Args:
        seen: one answer or more.
        training: ``inputs`` (column → `reference`, in the order of the columns) and ``scores``; or empty.
    """
    inputs = np.concatenate([one.inputs for one in seen])
    scores = np.concatenate([one.scores for one in seen])
    quantiles = np.quantile([one.ms for one in seen], [0.5, 0.95, 0.99])
    values: dict[str, Any] = {
        "requests": len(seen),
        "predictions": len(scores),
        "latency_ms": dict(zip(("p50", "p95", "p99"), quantiles.tolist(), strict=True)),
        "scores": runcast.Histogram(edges=SCORE_EDGES, counts=np.histogram(scores, SCORE_EDGES)[0]),
        "score_mean": float(scores.mean()),
    }
    if training:
        known = {**training["inputs"], "score": training["scores"]}
        columns = [*inputs.T, scores]
        values["drift"] = {
            name: psi(of["counts"], binned(column, of["edges"]))
            for (name, of), column in zip(known.items(), columns, strict=True)
        }
        values["drift"]["by_chance"] = by_chance(training["scores"]["counts"], len(scores))
    return values
