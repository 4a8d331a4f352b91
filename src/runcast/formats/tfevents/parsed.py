"""Messages that other writers put into summaries, parsed: tensors, images, audio and histograms.

Sources of the forms: ``tensorflow/core/framework/tensor.proto``, ``summary.proto`` and ``histogram.proto``.
Every function raises ValueError where a message is damaged.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from runcast.formats.tfevents.wire import BYTES, fields, read_varint, signed

_LARGEST = 1 << 28  # bytes that a tensor may grow to which spells out fewer cells than it has
_STRING, _BFLOAT16, _HALF = 7, 14, 19
_CODES = {
    1: "f", 2: "d", 3: "i", 4: "B", 5: "h", 6: "b", 9: "q", 10: "?", 14: "H", 17: "H", 19: "e", 22: "I",
    23: "Q",
}  # fmt: skip
"""Type of a tensor's cells, as TensorFlow numbers them → that of `struct`."""
_VARINTS = (7, 10, 11, 13, 16, 17)


class Tensor(NamedTuple):
    """A tensor of numbers or of byte strings.

    Attributes:
        code: type of a cell, as `struct` spells it; ``s`` for strings.
        shape: sizes, the last dimension running fastest.
        content: the numbers, little-endian.
        strings: the strings, in the same order.
    """

    code: str
    shape: tuple[int, ...]
    content: bytes
    strings: list[bytes]

    def numbers(self) -> tuple[Any, ...]:
        """Every number, flat."""
        count = len(self.content) // struct.calcsize(self.code)
        return struct.unpack(f"<{count}{self.code}", self.content)


def parse_tensor(message: bytes) -> Tensor:
    """A ``TensorProto``; bfloat16 comes as float32, which holds it exactly."""
    dtype, content, cells = 0, b"", b""
    shape: tuple[int, ...] = ()
    strings: list[bytes] = []
    integers: list[int] = []
    for number, wire_type, value in fields(message):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, bytes):
            shape = tuple(_dimensions(value))
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in (5, 6) and isinstance(value, bytes):
            cells += value
        elif number == 8 and isinstance(value, bytes):
            strings.append(value)
        elif number in _VARINTS:
            integers += _integers(value, wire_type)
    if dtype == _STRING:
        return Tensor("s", shape, b"", strings)
    if dtype not in _CODES:
        raise ValueError(f"a tensor's cells are of type {dtype}, which is no plain number")
    if integers and not content:
        cells = _packed(integers, "H" if dtype == _HALF else _CODES[dtype])
    content = _filled(content or cells, shape, struct.calcsize(_CODES[dtype]), bool(content))
    if dtype == _BFLOAT16:
        halves = struct.unpack(f"<{len(content) // 2}H", content)
        return Tensor("f", shape, struct.pack(f"<{len(halves)}I", *(half << 16 for half in halves)), [])
    return Tensor(_CODES[dtype], shape, content, [])


def _dimensions(message: bytes) -> Iterator[int]:
    for number, _, value in fields(message):
        if number == 2 and isinstance(value, bytes):
            sizes = [signed(size) for inner, _, size in fields(value) if inner == 1 and isinstance(size, int)]
            size = sizes[-1] if sizes else 0
            if size < 0:
                raise ValueError("a tensor's shape is not known")
            yield size


def _integers(value: int | bytes, wire_type: int) -> Iterator[int]:
    if isinstance(value, int):
        yield signed(value)
    elif wire_type == BYTES:
        at = 0
        while at < len(value):
            number, at = read_varint(value, at)
            yield signed(number)


def _packed(integers: list[int], code: str) -> bytes:
    bits = 8 * struct.calcsize(code)
    if code == "?":
        return struct.pack(f"<{len(integers)}?", *integers)
    low = [number & ((1 << bits) - 1) for number in integers]
    return struct.pack(f"<{len(low)}{code.upper()}", *low)


def _filled(content: bytes, shape: tuple[int, ...], width: int, whole: bool) -> bytes:
    """A tensor may spell out its first cells only: the last one stands for the rest."""
    wanted = math.prod(shape) * width
    missing = wanted - len(content)
    if missing > 0 and not whole and missing <= _LARGEST and len(content) % width == 0:
        content += (content[-width:] or bytes(width)) * (missing // width)
    if len(content) != wanted:
        raise ValueError(f"a tensor has {len(content)} bytes where its shape {list(shape)} asks for {wanted}")
    return content


class Image(NamedTuple):
    """``Summary.Image``: width and height in pixels, and a whole file."""

    width: int
    height: int
    content: bytes


def parse_image(message: bytes) -> Image:
    """An image as torch and TensorFlow 1 write it."""
    found = {number: value for number, _, value in fields(message)}
    return Image(_int(found.get(2)), _int(found.get(1)), _bytes(found.get(4)))


class Audio(NamedTuple):
    """``Summary.Audio``: Hz, how many channels and frames, a whole file, and its MIME type."""

    sample_rate: float
    channels: int
    frames: int
    content: bytes
    mime: str


def parse_audio(message: bytes) -> Audio:
    """A clip as torch and TensorFlow 1 write it."""
    found = {number: value for number, _, value in fields(message)}
    rate = _bytes(found.get(1))
    return Audio(
        struct.unpack("<f", rate)[0] if len(rate) == 4 else 0.0,
        _int(found.get(2)),
        _int(found.get(3)),
        _bytes(found.get(4)),
        _bytes(found.get(5)).decode("utf-8", "replace"),
    )


class Histogram(NamedTuple):
    """``HistogramProto``: `limits` are the right edges of the buckets that `counts` count."""

    min: float
    max: float
    num: float
    sum: float
    sum_squares: float
    limits: tuple[float, ...]
    counts: tuple[float, ...]


def parse_histogram(message: bytes) -> Histogram:
    """A histogram as torch and TensorFlow 1 write it."""
    cells: dict[int, bytes] = {}
    for number, _, value in fields(message):
        if isinstance(value, bytes):
            cells[number] = cells.get(number, b"") + value if number in (6, 7) else value
    ones = [_doubles(cells.get(number, bytes(8))) for number in (1, 2, 3, 4, 5)]
    if any(len(one) != 1 for one in ones):
        raise ValueError("a field of a histogram has the wrong width")
    limits, counts = _doubles(cells.get(6, b"")), _doubles(cells.get(7, b""))
    if len(limits) != len(counts):
        raise ValueError(f"a histogram has {len(limits)} limits for {len(counts)} counts")
    low, high, num, total, squares = (one[0] for one in ones)
    return Histogram(low, high, num, total, squares, limits, counts)


def _doubles(content: bytes) -> tuple[float, ...]:
    if len(content) % 8:
        raise ValueError("doubles are cut off")
    return struct.unpack(f"<{len(content) // 8}d", content)


def _int(value: int | bytes | None) -> int:
    return signed(value) if isinstance(value, int) else 0


def _bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""
