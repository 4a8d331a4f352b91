"""The framing of W&B's transaction log (``.wandb``): payloads in checked chunks.

A 7-byte file header, then LevelDB's log format: blocks of 32 KiB, which the file header counts into;
chunks of crc32 (plain, over type and data), length and type; a payload that crosses a block is split into
a first, middle and last chunk; fewer than 7 bytes at a block's end are zeros.

Where a chunk begins depends on the file's length alone, so a file cut back to a length at which a record
ended can be continued, and gets the same bytes again.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import msgspec

FILE_HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
BLOCK = 32768
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


class Damage(msgspec.Struct, frozen=True):
    """Bytes of a log that could not be read.

    Attributes:
        at: offset in the file.
        reason: what is wrong there.
    """

    at: int
    reason: str


def frame(payload: bytes, position: int) -> bytes:
    """The bytes that append `payload` to a log.

    Args:
        payload: one encoded record.
        position: length of the file so far; 0 begins a new file, with its header.
    """
    out = [] if position else [FILE_HEADER]
    room = BLOCK - (position or len(FILE_HEADER)) % BLOCK
    at, begun = 0, False
    while True:
        if room < _CHUNK.size:
            out.append(bytes(room))
            room = BLOCK
        part = payload[at : at + room - _CHUNK.size]
        at += len(part)
        ends = at == len(payload)
        kind = (_LAST if ends else _MIDDLE) if begun else (_FULL if ends else _FIRST)
        crc = zlib.crc32(part, zlib.crc32(bytes((kind,))))
        out.append(_CHUNK.pack(crc, len(part), kind) + part)
        if ends:
            return b"".join(out)
        begun, room = True, BLOCK


def payloads(log: bytes) -> Iterator[bytes | Damage]:
    """Every payload that is whole, in order, and one `Damage` for each place that could not be read.

    A damaged chunk costs what is left of its block; a cut at the end costs the record that it cut.
    """
    if log[: len(FILE_HEADER)] != FILE_HEADER:
        yield Damage(0, "no .wandb file: the first 7 bytes are not W&B's header")
        return
    at, parts = len(FILE_HEADER), list[bytes]()
    begun: int | None = None
    while at < len(log):
        left = BLOCK - at % BLOCK
        if left < _CHUNK.size:
            at += left
            continue
        chunk = _read_chunk(log, at, left)
        if isinstance(chunk, Damage):
            yield chunk
            at, parts, begun = at + left, [], None
            continue
        kind, body = chunk
        continues = kind in (_MIDDLE, _LAST)
        if continues and begun is None:
            yield Damage(at, "the record's beginning is missing")
        elif not continues and begun is not None:
            yield Damage(begun, "the record's end is missing")
        if continues and begun is None:
            at += _CHUNK.size + len(body)
            continue
        parts = parts if continues else []
        parts.append(body)  # joined at the end: adding bytes to bytes would be quadratic
        begun = begun if continues else at
        at += _CHUNK.size + len(body)
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
            parts, begun = [], None
    if begun is not None:
        yield Damage(begun, "the record's end is missing")


def _read_chunk(log: bytes, at: int, left: int) -> tuple[int, bytes] | Damage:
    if len(log) - at < _CHUNK.size:
        return Damage(at, "cut in the middle of a chunk")
    crc, size, kind = _CHUNK.unpack_from(log, at)
    body = log[at + _CHUNK.size : at + _CHUNK.size + size]
    if not _FULL <= kind <= _LAST or size > left - _CHUNK.size:
        return Damage(at, "no chunk begins here")
    if len(body) < size:
        return Damage(at, "cut in the middle of a chunk")
    if zlib.crc32(body, zlib.crc32(bytes((kind,)))) != crc:
        return Damage(at, "checksum does not match")
    return kind, body
