"""Events of one scalar, which nearly all events are, read without looking into every field."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from runcast.formats.tfevents.reader import nanoseconds, plain_scalar
from runcast.formats.tfevents.scalars import EXACT_DOUBLE, EXACT_TIME
from runcast.formats.tfevents.wire import FIXED64, key, read_varint, signed

_FLOAT, _DOUBLE, _INT64 = struct.Struct("<f"), struct.Struct("<d"), struct.Struct("<q")
_TIME_KEY, _DOUBLE_KEY = key(EXACT_TIME, FIXED64), key(EXACT_DOUBLE, FIXED64)
_EXACT = 4 + len(_DOUBLE_KEY) + 8  # a float32, and its double behind it
# From here on a double's fraction has at most 30 bits, so that its product with 10**9 is exact.
_EARLY, _LATE = 4_194_304.0, 9_223_372_036.0
_KNOWN = 65_536
_SHORTEST = 9 + 9


Point = tuple[int, int, str, float]
"""One number: ns since 1970, step, name and value; a plain tuple, which is made fastest."""


class PointDecoder:
    """Reads events of one float32, or of one double of runcast's own.

    What stands between an event's step and its number is the same for every point of a tag, so it is
    parsed once and looked up from then on.

    Args:
        keys: tag → name that the script used, where they differ.
    """

    def __init__(self, keys: Mapping[str, str] | None = None) -> None:
        self._keys = keys or {}
        self._single: dict[bytes, str] = {}
        self._double: dict[bytes, str] = {}

    def point(self, payload: bytes) -> Point | None:
        """The event's one number; None where it is anything else, and `parse_event` has to look.

        Raises:
            ValueError: the step does not end.
        """
        if len(payload) < _SHORTEST or payload[0] != 0x09:
            return None
        step, at = 0, 9
        if payload[9] == 0x10:
            step, at = payload[10], 11
            if step > 0x7F:
                byte = payload[11]
                if byte <= 0x7F:  # `read_varint`, without the call
                    step, at = step + (byte << 7) - 0x80, 12
                elif payload[12] <= 0x7F:
                    step, at = step + (byte << 7) + (payload[12] << 14) - 0x4080, 13
                else:
                    step, at = read_varint(payload, 10)
                    step = signed(step)
                if at + 9 > len(payload):
                    return None
        if payload[at] != 0x2A and payload[at : at + 3] == _TIME_KEY and len(payload) > at + 11:
            (time,) = _INT64.unpack_from(payload, at + 3)
            at += 11
        else:
            (wall,) = _DOUBLE.unpack_from(payload, 1)
            if _EARLY <= wall < _LATE:
                seconds = int(wall)
                time = seconds * 1_000_000_000 + round((wall - seconds) * 1e9)
            elif -_LATE < wall < _LATE:
                time = nanoseconds(wall)
            else:  # NaN too
                return None
        name = self._single.get(payload[at:-4])
        if name is not None:
            return time, step, name, _FLOAT.unpack_from(payload, len(payload) - 4)[0]
        if payload[-11:-8] == _DOUBLE_KEY:
            name = self._double.get(payload[at:-_EXACT])
            if name is not None:
                return time, step, name, _DOUBLE.unpack_from(payload, len(payload) - 8)[0]
        return self._learn(payload, at, time, step)

    def _learn(self, payload: bytes, at: int, time: int, step: int) -> Point | None:
        """Look into an event of a tag that is not known, and know it if it is of this form."""
        # One summary (5), which holds one value (1), and nothing else.
        if payload[at] != 0x2A:
            return None
        size, start = read_varint(payload, at + 1)
        if start + size != len(payload) or not size or payload[start] != 0x0A:
            return None
        size, start = read_varint(payload, start + 1)
        if start + size != len(payload):
            return None
        value = plain_scalar(payload[start:])
        if value is None or not isinstance(value.value, float):
            return None
        name = self._keys.get(value.tag, value.tag)
        alone = payload[start + 2 + payload[start + 1]] == 0x15 and len(payload) == (
            start + 2 + payload[start + 1] + 5
        )
        known, behind = (self._single, 4) if alone else (self._double, _EXACT)
        if len(known) >= _KNOWN:
            known.clear()
        known[payload[at:-behind]] = name
        return time, step, name, value.value
