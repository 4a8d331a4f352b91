"""Point clouds: W&B's JSON as the array that ``docs/media.md`` asks for."""

from __future__ import annotations

import array
import sys
from typing import Any


def npy(said: Any) -> tuple[bytes, int]:
    """An ``.npy`` file (version 1.0) of float32, and how many points it has.

    Args:
        said: a list of points, or W&B's scene with its ``points``.

    Raises:
        ValueError, TypeError: it is neither.
    """
    points = said["points"] if isinstance(said, dict) else said
    width = len(points[0]) if points else 3
    if width not in (3, 4, 6) or any(len(point) != width for point in points):
        raise ValueError(f"points of {width} numbers, or of several lengths")
    numbers = array.array("f", (number for point in points for number in point))
    if sys.byteorder == "big":
        numbers.byteswap()
    about = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(points)}, {width}), }}"
    about += " " * (-(len(about) + 11) % 64) + "\n"
    head = b"\x93NUMPY\x01\x00" + len(about).to_bytes(2, "little") + about.encode()
    return head + numbers.tobytes(), len(points)
