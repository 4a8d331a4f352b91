"""CRC-32C (Castagnoli), masked as TFRecord files mask it.

The C implementations of ``google_crc32c`` and ``crc32c`` are used where one is installed; a table in
Python serves otherwise, at a few per cent of their speed.
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Callable
from functools import lru_cache

_POLYNOMIAL = 0x82F63B78  # reflected
MASK_DELTA = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """The checksum of `data` as it stands in a frame."""
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


@lru_cache(maxsize=1)
def _tables() -> tuple[list[int], list[int]]:
    one = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (_POLYNOMIAL if crc & 1 else 0)
        one.append(crc)
    two = []
    for word in range(65536):
        crc = one[word & 0xFF] ^ (word >> 8)
        two.append(one[crc & 0xFF] ^ (crc >> 8))
    return one, two


def crc32c_python(data: bytes) -> int:
    """CRC-32C by tables: two bytes a step, which is as good as Python gets."""
    one, two = _tables()
    even = len(data) & ~1
    words = array("H", data[:even])
    if _BIG_ENDIAN:
        words.byteswap()
    crc = 0xFFFFFFFF
    for word in words:
        crc = two[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    for byte in data[even:]:
        crc = one[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


_BIG_ENDIAN = array("H", [1]).tobytes() == b"\x00\x01"


def _fastest() -> Callable[[bytes], int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where its C part is missing; the table is faster then
            import google_crc32c
        if google_crc32c.implementation == "c":
            value: Callable[[bytes], int] = google_crc32c.value
            return value
    except (ImportError, AttributeError):
        pass
    try:
        from crc32c import crc32c as hardware
    except ImportError:
        return crc32c_python
    function: Callable[[bytes], int] = hardware
    return function


crc32c: Callable[[bytes], int] = _fastest()
"""CRC-32C of some bytes by the fastest means installed."""
