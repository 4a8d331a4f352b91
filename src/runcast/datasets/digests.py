"""Digests of data in memory that are the same on every machine, in every process and Python.

``docs/models.md`` has the rules. An array is digested as it lies in memory where that is its canonical form
(C order, little-endian), so nothing is copied then.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

_CHUNK = 1 << 24


def of_array(array: Any) -> str:
    """sha256 of a NumPy array: dtype, shape and elements."""
    import numpy as np

    if array.dtype.kind in "OUSV" or array.dtype.hasobject:
        return of_values(array.ravel().tolist(), array.shape)
    if array.dtype.kind in "mM":
        unit = np.datetime_data(array.dtype)[0]
        return _numbers(array.astype("<i8"), f"{array.dtype.kind}8[{unit}]")
    return _numbers(array, "")


def _numbers(array: Any, name: str) -> str:
    import numpy as np

    little = array.dtype.newbyteorder("<")
    flat = np.ascontiguousarray(array, dtype=little)
    sha = hashlib.sha256(f"array\0{name or little.str}\0{list(array.shape)}\0".encode())
    view: Any = flat.reshape(-1).view("u1") if flat.size else b""
    for start in range(0, len(view), _CHUNK):
        sha.update(view[start : start + _CHUNK])
    return sha.hexdigest()


def of_values(values: Iterable[Any], shape: Iterable[int]) -> str:
    """sha256 of text and objects, element by element."""
    sha = hashlib.sha256(f"array\0|O\0{list(shape)}\0".encode())
    for value in values:
        letter, content = _element(value)
        sha.update(f"{letter}{len(content)}:".encode())
        sha.update(content)
    return sha.hexdigest()


def _element(value: Any) -> tuple[str, bytes]:
    if value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in ("<NA>", "NaT"):
        return "n", b""
    if isinstance(value, str):
        return "s", value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return "b", bytes(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    return "j", json.dumps(value, sort_keys=True, default=str).encode("utf-8", "surrogatepass")


def of_columns(columns: Mapping[str, str]) -> str:
    """sha256 of named columns, in their order, from the digests of their contents."""
    sha = hashlib.sha256(b"columns\0")
    for name, digest in columns.items():
        sha.update(f"{name}\0{digest}\n".encode("utf-8", "surrogatepass"))
    return sha.hexdigest()
