"""Distributions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from runcast.media.arrays import numpy, to_array
from runcast.media.store import Store
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize import step as whole_number

_CHUNK = 1 << 16  # values whose squares are in memory at a time
_MOST_BINS = 4096
_KEPT = 1 << 20  # bytes


class Histogram(Value):
    """How values are distributed: weights, gradients, predictions.

    Up to 1 MiB of values are kept as they are and binned by whoever shows them. More are binned at the call,
    so that copies of a model's weights do not fill the disk.

    Args:
        values: array, tensor or list of any shape; or left out where `edges` and `counts` are given.
        bins: how many bins trackers should draw, up to 4096.
        edges: n+1 rising ends of n ready bins.
        counts: n counts.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("bins", "counts", "edges", "values")
    type: ClassVar[str] = "histogram"

    def __init__(
        self,
        values: Any = None,
        *,
        bins: int = 64,
        edges: Any = None,
        counts: Any = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.values = values
        self.bins = bins
        self.edges = edges
        self.counts = counts

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        if self.edges is not None or self.counts is not None:
            return self._ready()
        np = numpy()
        bins = whole_number(self.bins)
        if not isinstance(bins, int) or not 1 <= bins <= _MOST_BINS:
            raise Unfit(f"a histogram has from 1 to {_MOST_BINS} bins, not {self.bins!r}")
        values = to_array(self.values, "values, or edges and counts").reshape(-1)
        if values.dtype.kind != "f":
            values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
        if values.size == 0:
            raise Unfit("an empty array has no distribution: leave it out")
        finite, data = _statistics(np, values)
        if data["num"] == 0:
            raise Unfit("none of the values is finite, so there is nothing to draw")
        if data["nonfinite"]:
            store.report(
                "values that are not finite: they are counted, and left out of the bins",
                f"{data['nonfinite']} of {values.size}",
            )
        if values.nbytes > _KEPT:
            return Draft(self.type, data | _binned(np, finite, data["min"], data["max"], bins))
        return Draft(self.type, data | {"bins": bins}, (store.array("values.npy", values),))

    def _ready(self) -> Draft:
        np = numpy()
        if self.values is not None or self.edges is None or self.counts is None:
            raise Unfit("a histogram has values, or edges and counts")
        edges = to_array(self.edges, "edges").astype(np.float64).reshape(-1)
        counts = to_array(self.counts, "counts").astype(np.float64).reshape(-1)
        if len(edges) != len(counts) + 1 or not len(counts):
            raise Unfit(f"n counts need n+1 edges: there are {len(counts)} counts and {len(edges)} edges")
        if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            raise Unfit("edges must be finite and rise")
        if not (np.isfinite(counts).all() and (counts >= 0).all()):
            raise Unfit("counts must be finite and not negative")
        middle = edges[:-1] / 2 + edges[1:] / 2
        whole = bool((counts == np.floor(counts)).all()) and counts.max() < 1 << 53
        with np.errstate(over="ignore", invalid="ignore"):
            sums = float(counts @ middle), float(counts @ (middle * middle))
        return Draft(
            self.type,
            {
                "edges": edges.tolist(),
                "counts": [int(count) for count in counts] if whole else counts.tolist(),
                "num": int(counts.sum()) if whole else float(counts.sum()),
                "min": float(edges[0]),
                "max": float(edges[-1]),
                "sum": sums[0],
                "sum_squares": sums[1],
                "nonfinite": 0,
            },
        )


def _binned(np: Any, values: Any, low: float, high: float, bins: int) -> dict[str, Any]:
    """Bins of equal width from `low` to `high`; a chunk at a time is in memory twice."""
    scale = 4.0 if max(-low, high) > 1e307 else 1.0  # so that the width is finite
    low, high = low / scale, high / scale
    edges = np.linspace(low, high, bins + 1)
    if high - low < 1e-290 or not (np.diff(edges) > 0).all():  # too near to each other for so many bins
        room = max(abs(low) * 1e-6, 0.5 if low == high else 1e-290)
        edges = np.linspace(low - room, high + room, bins + 1)
    first, factor = edges[0], bins / (edges[-1] - edges[0])
    counts = np.zeros(bins, dtype=np.int64)
    for start in range(0, values.size, _CHUNK):
        chunk = values[start : start + _CHUNK].astype(np.float64)
        chunk /= scale
        chunk -= first
        chunk *= factor
        place = chunk.astype(np.intp)  # from 0 on, for nothing is below `low`
        np.minimum(place, bins - 1, out=place)
        counts += np.bincount(place, minlength=bins)
    return {"edges": (edges * scale).tolist(), "counts": counts.tolist()}


def _statistics(np: Any, values: Any) -> tuple[Any, dict[str, Any]]:
    """(The finite values, what is known of them); in double precision, a chunk at a time."""
    low, high = float(values.min()), float(values.max())
    strange = 0
    if not (math.isfinite(low) and math.isfinite(high)):
        finite = values[np.isfinite(values)]
        strange = values.size - finite.size
        values = finite
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    total = squares = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, values.size, _CHUNK):
            chunk = values[start : start + _CHUNK].astype(np.float64)
            total += float(chunk.sum())
            squares += float(np.square(chunk, out=chunk).sum())  # BLAS would wake its threads for this
    return values, {
        "num": int(values.size),
        "min": low,
        "max": high,
        "sum": total,
        "sum_squares": squares,
        "nonfinite": int(strange),
    }
