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
from typing import BinaryIO

import msgspec

FILE_HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
BLOCK = 32768
_WINDOW = 32 * BLOCK
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


def payloads(log: BinaryIO, size: int | None = None, start: int = 0) -> Iterator[bytes | Damage]:
    """Every payload that is whole, in order, and one `Damage` for each place that could not be read.

    A damaged chunk costs what is left of its block; a cut at the end costs the record that it cut.

    Args:
        log: it is read in windows, so memory does not grow with its length.
        size: where to stop, of a log that still grows; at its end where left out.
        start: where to begin, the beginning of a block.
    """
    begun: int | None = None
    parts: list[bytes] = []
    for at, chunk in _chunks(log, size, start):
        if isinstance(chunk, Damage):
            yield chunk
            begun = None
            continue
        kind, body = chunk
        if kind == _FULL:
            if begun is not None:
                yield Damage(begun, "the record's end is missing")
                begun = None
            yield body
        elif kind == _FIRST:
            if begun is not None:
                yield Damage(begun, "the record's end is missing")
            begun, parts = at, [body]
        elif begun is None:
            yield Damage(at, "the record's beginning is missing")
        else:
            parts.append(body)
            if kind == _LAST:
                yield b"".join(parts)
                begun = None
    if begun is not None:
        yield Damage(begun, "the record's end is missing")


def _chunks(log: BinaryIO, size: int | None, start: int) -> Iterator[tuple[int, tuple[int, bytes] | Damage]]:
    """Every chunk, or why there is none, with its offset."""
    base = start
    log.seek(start)
    if not start and log.read(len(FILE_HEADER)) != FILE_HEADER:
        yield 0, Damage(0, "no .wandb file: the first 7 bytes are not W&B's header")
        return
    log.seek(start)
    while window := log.read(_WINDOW if size is None else max(0, min(_WINDOW, size - base))):
        at = 0 if base else len(FILE_HEADER)
        while at < len(window):
            left = BLOCK - at % BLOCK
            if left < _CHUNK.size:
                at += left
                continue
            chunk = _read_chunk(window, at, left)
            if isinstance(chunk, Damage):
                yield base + at, Damage(base + at, chunk.reason)
                at += left
            else:
                yield base + at, chunk
                at += _CHUNK.size + len(chunk[1])
        base += len(window)


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
