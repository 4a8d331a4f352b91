"""Scalars to bytes, fast: what never changes of a tag is made once."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from runcast.formats.tfevents.wire import BYTES, FIXED64, field, integer, key, varint

EXACT_TIME, RECORD = 77001, 77002
EXACT_DOUBLE, EXACT_INT, EXACT_BOOL = 77001, 77002, 77003
"""Numbers of our own fields, of events and of values; see the package's text."""

_FLOAT = struct.Struct("<f")
_DOUBLE = struct.Struct("<d")
_INT64 = struct.Struct("<q")
_INFINITY, _MINUS_INFINITY = _FLOAT.pack(float("inf")), _FLOAT.pack(float("-inf"))
_TIME_KEY = key(EXACT_TIME, FIXED64)
_DOUBLE_KEY = key(EXACT_DOUBLE, FIXED64)
_INT_KEY = key(EXACT_INT, BYTES)
_TRUE, _FALSE = integer(EXACT_BOOL, 1), integer(EXACT_BOOL, 0)
_SUMMARY_KEY = key(5, BYTES)
_EXACT_SIZE = len(_DOUBLE_KEY) + 8


def event_head(time: int, step: int) -> bytes:
    """What an event begins with: wall time in s, step, and the time in ns.

    Raises:
        OverflowError: the time or the step is outside int64.
    """
    if not -(1 << 63) <= step < 1 << 63:
        raise OverflowError("step is outside int64")
    try:
        exact = _INT64.pack(time)
    except struct.error:
        raise OverflowError("time is outside int64") from None
    return b"".join((b"\x09", _DOUBLE.pack(time / 1_000_000_000), b"\x10", varint(step), _TIME_KEY, exact))


def with_record(payload: bytes, record: bytes) -> bytes:
    """An event that also carries the record it was made from."""
    return payload + field(RECORD, record)


class ScalarEncoder:
    """Makes one event of all scalars of one step; keeps a few bytes for each tag it has seen."""

    def __init__(self) -> None:
        # tag → the bytes before a float32 that stands alone, and before one with its double behind it
        self._heads: dict[str, tuple[bytes, bytes]] = {}

    def event(
        self, time: int, step: int, values: Mapping[str, bool | int | float], overflowed: list[str]
    ) -> bytes:
        """The payload of a frame.

        Args:
            time: ns since 1970, int64.
            step: int64.
            values: tag → value; a tag must be encodable as UTF-8.
            overflowed: takes the tags whose finite value is beyond float32 and shows as infinity.

        Raises:
            OverflowError: the time or the step is outside int64.
            UnicodeEncodeError: a tag holds a lone surrogate.
        """
        parts: list[bytes] = []
        heads, pack, unpack, double = self._heads, _FLOAT.pack, _FLOAT.unpack, _DOUBLE.pack
        for tag, value in values.items():
            head = heads.get(tag) or self._new(tag)
            try:
                single = pack(value)
            except (OverflowError, struct.error):  # the latter for ints beyond a double
                single = _INFINITY if value > 0 else _MINUS_INFINITY
                overflowed.append(tag)
            if type(value) is not float:
                parts.append(_typed(tag, single, value))
            elif unpack(single)[0] == value or value != value:
                parts += (head[0], single)
            else:
                parts += (head[1], single, _DOUBLE_KEY, double(value))
        summary = b"".join(parts)
        return b"".join((event_head(time, step), _SUMMARY_KEY, varint(len(summary)), summary))

    def _new(self, tag: str) -> tuple[bytes, bytes]:
        inner = _tag_and_key(tag)
        size = len(inner) + 4
        plain = b"\x0a" + varint(size) + inner
        exact = b"\x0a" + varint(size + _EXACT_SIZE) + inner
        self._heads[tag] = plain, exact
        return plain, exact


def _tag_and_key(tag: str) -> bytes:
    return field(1, tag.encode()) + b"\x15"


def _typed(tag: str, single: bytes, value: bool | int | float) -> bytes:
    if value is True or value is False:
        own = _TRUE if value else _FALSE
    else:
        number = int(value)
        size = number.bit_length() // 8 + 1
        own = _INT_KEY + varint(size) + number.to_bytes(size, "little", signed=True)
    return field(1, _tag_and_key(tag) + single + own)
