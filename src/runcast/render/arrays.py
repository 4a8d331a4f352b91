"""Arrays from ``.npy`` files that anybody may have written."""

from __future__ import annotations

import math
from pathlib import Path
from tokenize import TokenError
from typing import Any

from runcast.errors import Reject

MAGIC = b"\x93NUMPY"
"""First bytes of every ``.npy`` file."""
MOST_BYTES = 1 << 30
"""Largest array that is rendered; a larger one stays a file."""
EXTRA = "pip install 'runcast[media]'"


def is_npy(path: Path) -> bool:
    """Whether the file's first bytes say ``.npy``; blobs have no suffix."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def load(path: Path, *, dims: tuple[int, ...], dtypes: tuple[str, ...]) -> Any:
    """The array in a ``.npy`` file, mapped read-only.

    Args:
        path: the file.
        dims: how many axes it may have.
        dtypes: names of the dtypes that it may have, such as ``uint8``.

    Raises:
        Reject: it is no such array, its size is not what its header says, or it holds over 1 GiB.
    """
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise Reject(f"NumPy is needed to read an array: {EXTRA}") from error
    try:
        shape, dtype, start = _header(path)
    except (ValueError, OSError, TypeError, EOFError, SyntaxError, RecursionError, TokenError) as error:
        raise Reject(f"{path.name[:16]} is no .npy array: {error}") from error
    if len(shape) not in dims or dtype.name not in dtypes or any(length < 0 for length in shape):
        raise Reject(f"an array of {dtype.name[:40]} {shape} is none of {', '.join(dtypes)} with {dims} axes")
    size = math.prod(shape) * dtype.itemsize
    if size != path.stat().st_size - start or size > MOST_BYTES:
        raise Reject(f"{path.name[:16]}: an array of shape {shape} does not fit its file, or is over 1 GiB")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _header(path: Path) -> tuple[tuple[int, ...], Any, int]:
    """(shape, dtype, where the data begins)."""
    from numpy.lib import format as npy

    with path.open("rb") as file:
        version = npy.read_magic(file)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"version {version} is unknown")
        shape, _, dtype = readers[version](file)
        return shape, dtype, file.tell()
