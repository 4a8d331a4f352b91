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
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

FILE_HEADER = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
BLOCK = 32768
_WINDOW = 32 * BLOCK
_CHUNK = struct.Struct("<IHB")
_unpack, crc32 = _CHUNK.unpack_from, zlib.crc32
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_HEAD, _FULL_CRC = _CHUNK.size, crc32(bytes((_FULL,)))


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


def frames(payloads: Iterable[bytes], position: int) -> list[bytes]:
    """`frame` of each in turn, in pieces to be joined; nearly every payload is one chunk."""
    out: list[bytes] = []
    for payload in payloads:
        size = len(payload)
        if position and size <= BLOCK - _HEAD - position % BLOCK:
            out += _CHUNK.pack(crc32(payload, _FULL_CRC), size, _FULL), payload
            position += _HEAD + size
        else:
            out.append(frame(payload, position))
            position += len(out[-1])
    return out


def payloads(log: BinaryIO, size: int | None = None, start: int = 0) -> Iterator[bytes | Damage]:
    """Every payload that is whole, in order, and one `Damage` for each place that could not be read.

    A damaged chunk costs what is left of its block; a cut at the end costs the record that it cut.

    Args:
        log: it is read in windows, so memory does not grow with its length.
        size: where to stop, of a log that still grows; at its end where left out.
        start: where to begin, the beginning of a block.
    """
    if not start and not _has_header(log):
        yield Damage(0, "no .wandb file: the first 7 bytes are not W&B's header")
        return
    log.seek(start)
    base = start
    joiner = _Joiner()
    while window := log.read(_WINDOW if size is None else max(0, min(_WINDOW, size - base))):
        at = 0 if base else len(FILE_HEADER)
        length = len(window)
        while at < length:
            left = BLOCK - at % BLOCK
            if left < _CHUNK.size:
                at += left
                continue
            # Nearly every chunk is whole and a record of its own; its type and data lie side by side.
            if length - at >= _CHUNK.size and joiner.begun is None:
                crc, part, kind = _unpack(window, at)
                after = at + 7 + part
                is_whole = kind == _FULL and part <= left - 7 and after <= length
                if is_whole and crc32(window[at + 6 : after]) == crc:
                    yield window[at + 7 : after]
                    at = after
                    continue
            chunk = _read_chunk(window, at, left)
            yield from joiner.take(base + at, chunk)
            at += left if isinstance(chunk, Damage) else _CHUNK.size + len(chunk[1])
        base += length
    yield from joiner.end()


def _has_header(log: BinaryIO) -> bool:
    log.seek(0)
    return log.read(len(FILE_HEADER)) == FILE_HEADER


class _Joiner:
    """Makes payloads of chunks.

    Attributes:
        begun: offset of the first chunk of a payload whose last has not come.
    """

    def __init__(self) -> None:
        self.begun: int | None = None
        self._parts: list[bytes] = []

    def take(self, at: int, chunk: tuple[int, bytes] | Damage) -> Iterator[bytes | Damage]:
        """One more chunk, or why there is none."""
        if isinstance(chunk, Damage):
            yield Damage(at, chunk.reason)
            self.begun = None
            return
        kind, body = chunk
        if kind in (_FULL, _FIRST):
            yield from self.end()
            if kind == _FULL:
                yield body
            else:
                self.begun, self._parts = at, [body]
        elif self.begun is None:
            yield Damage(at, "the record's beginning is missing")
        else:
            self._parts.append(body)
            if kind == _LAST:
                self.begun = None
                yield b"".join(self._parts)

    def end(self) -> Iterator[Damage]:
        """Nothing more comes of the payload that is open, if one is."""
        if self.begun is not None:
            yield Damage(self.begun, "the record's end is missing")
            self.begun = None


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
