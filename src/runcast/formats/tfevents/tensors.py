"""Tensors as summaries hold them (``tensorflow/core/framework/tensor.proto``), without NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from runcast.formats.tfevents.wire import field, fields, integer, varint


class Dtype(IntEnum):
    """Types of a tensor's cells, as TensorFlow numbers them."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    STRING = 7


def shape(dimensions: Iterable[int]) -> bytes:
    """The field of a tensor's shape."""
    return field(2, b"".join(field(2, integer(1, size)) for size in dimensions))


def array_tensor(dtype: Dtype, dimensions: Sequence[int], content: bytes) -> bytes:
    """A tensor of numbers; `content` is little-endian, the last dimension running fastest."""
    return integer(1, dtype) + shape(dimensions) + field(4, content)


def string_tensor(strings: Sequence[bytes], dimensions: Sequence[int] | None = None) -> bytes:
    """A tensor of byte strings; of one dimension unless told otherwise."""
    cells = [field(8, string) for string in strings]
    return b"".join([integer(1, Dtype.STRING), shape(dimensions or [len(strings)]), *cells])


def tensor_strings(tensor: bytes) -> list[bytes]:
    """The byte strings of a tensor; none where it holds numbers.

    Raises:
        ValueError: the message is damaged.
    """
    return [content for number, _, content in fields(tensor) if number == 8 and isinstance(content, bytes)]


def packed(number: int, values: Iterable[int]) -> bytes:
    """A repeated field of integers, packed."""
    return field(number, b"".join(map(varint, values)))
