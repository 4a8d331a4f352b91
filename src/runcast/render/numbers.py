"""Histograms and tables out of blobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from runcast import codec
from runcast.errors import Reject
from runcast.render.arrays import load


def histogram(path: Path, bins: int) -> tuple[list[float], list[int]]:
    """Values as bins of equal width from the least to the greatest; non-finite values are left out.

    Args:
        path: ``.npy`` of float32 or float64, flat.
        bins: how many, at least 1.

    Returns:
        ``bins + 1`` edges and ``bins`` counts; where no value is finite, zeros from 0 to 1.

    Raises:
        Reject: it is no such array.
    """
    values = load(path, dims=(1,), dtypes=("float32", "float64"))
    import numpy as np

    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        values = values[finite]
    # The width of the range must be finite too, and no bin may be narrower than what a float can tell apart.
    largest = float(np.abs(values).max(initial=0.0))
    scale = 4.0 if largest > 1e307 else 1.0
    try:
        counts, edges = np.histogram(values / scale, bins=max(1, bins))
    except ValueError:  # the values are so near to each other that there is no room for the bins
        middle = float(values.mean()) / scale
        room = max(abs(middle) * 1e-6, 1e-300)
        counts, edges = np.histogram(values / scale, bins=max(1, bins), range=(middle - room, middle + room))
    return [float(edge) * scale for edge in edges], [int(count) for count in counts]


def table(path: Path) -> tuple[list[str], list[list[Any]]]:
    """A table's column names, and its rows of JSON-like cells.

    Args:
        path: ``.table.json``.

    Raises:
        Reject: it is no table, or a row has more or fewer cells than there are columns.
    """
    try:
        data = path.read_bytes()
        found = codec.from_json(data, dict[str, Any])
        if data.find(b'"$') >= 0:
            found = codec.unpack(found)
        columns, rows = found["columns"], found["data"]
        if not all(type(column) is str for column in columns):
            raise ValueError("a column has no name")
        if not all(type(row) is list and len(row) == len(columns) for row in rows):
            raise ValueError("its rows differ in length")
    except (msgspec.DecodeError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Reject(f"{path.name[:16]} is no table: {error}") from error
    return list(columns), rows
