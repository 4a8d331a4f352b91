"""The framing of event files (TFRecord), and a reader that finds its way after damage.

One frame: length as u64, its masked CRC-32C as u32, payload, the payload's masked CRC-32C as u32, all
little-endian (``tensorflow/core/lib/io/record_writer.h``).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import BinaryIO

from runcast.formats.tfevents.crc import MASK_DELTA, crc32c, masked_crc

FILE_VERSION = "brain.Event:2"
_HEAD, _TAIL = 12, 4
_LONGEST = 1 << 30
_CHUNK = 1 << 20
_KNOWN = 4096
_U32 = struct.Struct("<I")
_LENGTH = struct.Struct("<QI")


@lru_cache(maxsize=4096)
def _head(length: int) -> bytes:
    return _LENGTH.pack(length, masked_crc(length.to_bytes(8, "little")))


def frame(payload: bytes) -> bytes:
    """A payload of any kind, framed."""
    return b"".join((_head(len(payload)), payload, _U32.pack(masked_crc(payload))))


class FrameReader:
    """Iterates over the payloads of a file; damage costs the frames it hit, and is counted.

    A frame that reaches past the end of the file is taken for one that is still being written: the
    reader stops in front of it, and a later iteration goes on there.

    Attributes:
        damaged: places where at least one frame was lost.
        skipped: bytes in those places.
        offset: of the first byte in the file that is not yet consumed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.damaged = 0
        self.skipped = 0
        self.offset = file.tell()
        self._file = file
        self._buffer = b""
        self._at = 0
        self._lengths: dict[bytes, int] = {}  # a head whose checksum is good → the length it gives

    def __iter__(self) -> Iterator[bytes]:
        while self._have(_HEAD):
            yield from self._undamaged()
            if not self._have(_HEAD):
                return
            length = self._length_at(self._at)
            if length is None:
                if not self._resync(self._at + 1):
                    return
                continue
            if not self._have(_HEAD + length + _TAIL):
                return
            start = self._at + _HEAD
            payload = self._buffer[start : start + length]
            if _U32.unpack_from(self._buffer, start + length)[0] == masked_crc(payload):
                self._remember(self._buffer[self._at : start], length)
                self._advance(_HEAD + length + _TAIL)
                yield payload
            elif not self._skip(length):
                return

    def _undamaged(self) -> Iterator[bytes]:
        """Frames in the buffer as long as they are whole, good, and of a length that came before."""
        # Everything in local names: most of the time of reading a file is spent in these lines.
        buffer, at, base = self._buffer, self._at, self.offset - self._at
        known, unpack, checksum, size = self._lengths.get, _U32.unpack_from, crc32c, len(self._buffer)
        while True:
            length = known(buffer[at : at + _HEAD])
            if length is None:
                return
            start = at + _HEAD
            end = start + length
            if end + _TAIL > size:
                return
            payload = buffer[start:end]
            crc = checksum(payload)
            if ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF != unpack(buffer, end)[0]:
                return
            self._at = at = end + _TAIL
            self.offset = base + at
            yield payload

    def _remember(self, head: bytes, length: int) -> None:
        if len(self._lengths) >= _KNOWN:
            self._lengths.clear()
        self._lengths[head] = length

    def _have(self, count: int) -> bool:
        """Whether `count` bytes from the current place are in the buffer, read if need be."""
        missing = self._at + count - len(self._buffer)
        if missing > 0:
            more = self._file.read(max(missing, _CHUNK))
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        return len(self._buffer) - self._at >= count

    def _advance(self, count: int) -> None:
        self._at += count
        self.offset += count

    def _length_at(self, place: int) -> int | None:
        """The length that a frame's head at `place` of the buffer gives; None where there is no head."""
        length, crc = _LENGTH.unpack_from(self._buffer, place)
        if length >= _LONGEST or crc != masked_crc(self._buffer[place : place + 8]):
            return None
        return int(length)

    def _skip(self, length: int) -> bool:
        """Leave out a frame whose payload is damaged; False where nothing follows."""
        whole = _HEAD + length + _TAIL
        behind = self._have(whole + _HEAD)
        if not behind or self._length_at(self._at + whole) is not None:
            self.damaged += 1
            self.skipped += whole
            self._advance(whole)
            return True
        # No frame begins behind it, so it was cut short and others stand within its length.
        return self._resync(self._at + 1)

    def _resync(self, place: int) -> bool:
        """Go on at the next place that reads as the head of a frame; False where there is none."""
        self.damaged += 1
        begin = self._at
        while True:
            last = len(self._buffer) - _HEAD
            while place <= last:
                if self._length_at(place) is not None:
                    self.skipped += place - begin
                    self._advance(place - begin)
                    return True
                place += 1
            # Everything but a head's worth is known to be no head; drop it, so that memory stays bounded.
            self.skipped += place - begin
            self._advance(place - begin)
            if not self._have(_HEAD):
                return False
            begin = place = self._at
