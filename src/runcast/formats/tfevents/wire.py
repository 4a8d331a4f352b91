"""The part of the protobuf wire format that event files need."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_U64 = 0xFFFFFFFFFFFFFFFF


def varint(number: int) -> bytes:
    """A number from -2**63 to 2**64 - 1; a negative one as its two's complement, ten bytes long."""
    number &= _U64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def key(number: int, wire_type: int) -> bytes:
    """What stands before a field's content."""
    return varint(number << 3 | wire_type)


def field(number: int, content: bytes) -> bytes:
    """A field of bytes: a string or a message."""
    return key(number, BYTES) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    """A field with an integer, a bool or an enum."""
    return key(number, VARINT) + varint(value)


def double(number: int, value: float) -> bytes:
    """A field with a double."""
    return key(number, FIXED64) + struct.pack("<d", value)


def signed(number: int) -> int:
    """The int64 that an unsigned varint stands for."""
    return number - (1 << 64) if number >> 63 else number


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and where it ends.

    Raises:
        ValueError: it does not end within `data` or within ten bytes.
    """
    result = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _U64, position + 1
        shift += 7
    raise ValueError("a number does not end")


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Each field of a message: number, wire type, and an unsigned number or the raw bytes.

    Raises:
        ValueError: the message is damaged.
    """
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = read_varint(data, at - 1)
        wire_type = tag & 7
        if wire_type == VARINT:
            number, at = read_varint(data, at)
            yield tag >> 3, wire_type, number
            continue
        if wire_type == BYTES:
            size, at = read_varint(data, at)
        elif wire_type == FIXED64:
            size = 8
        elif wire_type == FIXED32:
            size = 4
        else:
            raise ValueError(f"wire type {wire_type} is not known")
        if size > end - at:
            raise ValueError("a field is longer than its message")
        yield tag >> 3, wire_type, data[at : at + size]
        at += size
