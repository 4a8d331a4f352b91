"""Histograms and precision-recall curves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runcast.formats.tfevents import Histogram, parse_histogram
from runcast.records import Record
from runcast.sources.tensorboard.item import Item


def histogram(item: Item) -> Iterator[Record]:
    """``HistogramProto``: 64-bit edges, and the sums that only it has."""
    found = parse_histogram(item.message)
    edges, counts = _edges(found)
    yield item.media(
        "histogram",
        data={
            "edges": edges,
            "counts": counts,
            "num": found.num,
            "min": found.min,
            "max": found.max,
            "sum": found.sum,
            "sum_squares": found.sum_squares,
            "nonfinite": 0,
        },
    )


def _edges(found: Histogram) -> tuple[list[float], list[float]]:
    """The proto has right edges alone; an empty first bucket, as torch makes one, gives the left-most."""
    limits, counts = list(found.limits), list(found.counts)
    if counts and counts[0] == 0:
        return limits, counts[1:]
    return [min([found.min, *limits[:1]]), *limits], counts


def buckets(item: Item) -> Iterator[Record]:
    """A tensor of left edge, right edge and count; what the sums were is not in it."""
    tensor = item.tensor()
    if len(tensor.shape) != 2 or tensor.shape[1] != 3:
        raise ValueError(f"a histogram of shape {list(tensor.shape)} is not k x 3")
    cells = [float(number) for number in tensor.numbers()]
    edges: list[float] = cells[:1]
    counts: list[float] = []
    for left, right, count in zip(cells[::3], cells[1::3], cells[2::3], strict=True):
        if left < edges[-1]:
            raise ValueError("its buckets overlap")
        if left > edges[-1]:
            edges.append(left)
            counts.append(0.0)
        edges.append(right)
        counts.append(count)
    low, high = (edges[0], edges[-1]) if edges else (None, None)
    data: dict[str, Any] = {"edges": edges or [0.0], "counts": counts, "num": sum(counts), "min": low}
    yield item.media("histogram", data=data | {"max": high, "sum": None, "sum_squares": None, "nonfinite": 0})


_ROWS = ("tp", "fp", "tn", "fn", "precision", "recall")


def pr_curve(item: Item) -> Iterator[Record]:
    """Six rows at evenly spaced thresholds from 0 to 1; records have the highest threshold first."""
    tensor = item.tensor()
    if len(tensor.shape) != 2 or tensor.shape[0] != len(_ROWS):
        raise ValueError(f"a PR curve of shape {list(tensor.shape)} is not 6 x thresholds")
    count, cells = tensor.shape[1], tensor.numbers()
    rows = {name: [*cells[n * count : (n + 1) * count]][::-1] for n, name in enumerate(_ROWS)}
    thresholds = [n / max(1, count - 1) for n in range(count)][::-1]
    curve = {"label": item.key, "thresholds": thresholds, "average_precision": None, **rows}
    yield item.media("pr_curve", data={"classes": [curve]})
