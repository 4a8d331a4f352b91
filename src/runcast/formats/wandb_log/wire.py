"""The few parts of protobuf's wire format that the log needs.

Source: protobuf's encoding specification. A field is a varint tag ``number << 3 | type`` and a value of
type 0 (varint), 1 (8 bytes), 2 (length and bytes) or 5 (4 bytes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_DOUBLE = struct.Struct("<d")
_U64 = (1 << 64) - 1


def varint(value: int) -> bytes:
    """An unsigned integer; a negative one as its 64-bit two's complement, as protobuf's int64 does."""
    value &= _U64
    if value < 0x80:
        return bytes((value,))
    if value < 1 << 14:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 1 << 21:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A varint field; nothing for 0, which is the default."""
    return varint(field << 3) + varint(value) if value else b""


def data(field: int, value: bytes) -> bytes:
    """A field of bytes or a message, even an empty one."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def text(field: int, value: str) -> bytes:
    """A string field; nothing for the empty string, which is the default."""
    return data(field, value.encode()) if value else b""


def read_varint(buffer: bytes, at: int) -> tuple[int, int]:
    """The varint at an offset, and the offset behind it.

    Raises:
        ValueError: the buffer ends in the middle, or the number has more than 64 bits.
    """
    value = shift = 0
    while True:
        if at >= len(buffer) or shift > 63:
            raise ValueError("truncated or overlong varint")
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _U64, at
        shift += 7


def signed(value: int) -> int:
    """A varint read as an int64."""
    return value - (1 << 64) if value >> 63 else value


def fields(buffer: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """Every field of a message: its number, and an unsigned int, a double or bytes.

    Raises:
        ValueError: the message is cut or holds a type that the format has abandoned.
    """
    at = 0
    while at < len(buffer):
        tag, at = read_varint(buffer, at)
        field, kind = tag >> 3, tag & 7
        value: int | float | bytes
        if kind == 0:
            value, at = read_varint(buffer, at)
        elif kind in (1, 2, 5):
            size = 8 if kind == 1 else 4
            if kind == 2:
                size, at = read_varint(buffer, at)
            raw = buffer[at : at + size]
            if len(raw) != size:
                raise ValueError("truncated field")
            at += size
            value = float(_DOUBLE.unpack(raw)[0]) if kind == 1 else raw
        else:
            raise ValueError(f"wire type {kind} is not in use")
        yield field, value
