"""The frames of W&B's log, by the format's description: LevelDB's log with its checksum."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

BLOCK, HEADER = 32768, 7


def chunks(log: bytes) -> Iterator[bytes]:
    """The payloads of a sound log."""
    at, payload = HEADER, b""
    while at < len(log):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        crc, size, kind = struct.unpack_from("<IHB", log, at)
        body = log[at + HEADER : at + HEADER + size]
        assert zlib.crc32(bytes([kind]) + body) == crc
        payload, at = payload + body, at + HEADER + size
        if kind in (1, 4):
            yield payload
            payload = b""
