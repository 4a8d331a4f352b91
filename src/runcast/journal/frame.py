r"""How a record lies in a segment: one line, checked, findable after damage. Pure functions.

::

    RCJ1 <crc:08x> <header JSON>\n                             first line
    <seq:016x> <length:08x> <crc:08x> <record JSON>\n          every other line

All numbers are lower-case hex. ``length`` counts the JSON's bytes. The record's crc is
``crc32(json, crc32(writer id) ^ low half of seq ^ high half of seq)``: a line of another writer or number
never validates. JSON escapes newlines, so a raw newline can only end a line. docs/format.md has it all.
"""

from __future__ import annotations

from binascii import hexlify
from functools import cache
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec

from runcast.errors import FormatError, JournalError

MAGIC = b"RCJ1"
FORMAT = 1
HEAD = 35
"""Bytes before the JSON of a record."""
_WORD = 1 << 32
_pack = Struct(">III").pack
LONGEST = 1 << 30
"""Bytes of a line that readers take; a longer one is damage, such as zeros that a dead machine left."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """First line of a segment.

    Attributes:
        format: version of this layout.
        min_reader: oldest reader that may read this file.
        run, writer: whose records follow.
        segment: number of the segment within its writer, from 0.
        generation: 0 for the processes that started the run, one more for each resume.
        process: name of the lock that lives as long as the writing process.
        pid, host, boot: the writing process, and the boot of its machine.
        created: ns since 1970.
        courier: True where a courier wrote it: a dead process's last word, or what it saw of the run.
        features: what a reader may ignore.
    """

    format: int = FORMAT
    min_reader: int = 1
    run: str
    writer: str
    segment: int = 0
    generation: int = 0
    process: str = ""
    pid: int = 0
    host: str = ""
    boot: str = ""
    created: int = 0
    courier: bool = False
    features: list[str] = []


class _Needs(msgspec.Struct):
    format: int
    min_reader: int


@cache
def _decoder(kind: type) -> Any:
    return msgspec.json.Decoder(kind)  # for readers alone; a writer never pays for it


def seed(writer: str) -> int:
    """Start value of the crc of each of this writer's records."""
    return crc32(writer.encode())


def frame(seq: int, payload: bytes, seed: int) -> bytes:
    """One line: `payload`, framed as record number `seq`."""
    return b"%016x %08x %08x %b\n" % (seq, len(payload), crc32(payload, seed ^ seq ^ (seq >> 32)), payload)


def unframe(line: bytes, seed: int) -> tuple[int, bytes] | None:
    """Number and JSON of a line without its newline, or None where it is not whole and genuine."""
    payload = line[HEAD:]
    try:
        seq = int(line[:16], 16)
    except ValueError:
        return None
    if seq >> 63:  # nobody counts that far: forged, and too large for those who count on
        return None
    # The text is compared, not the numbers, because `int` also takes spaces, signs and underscores.
    if line[:HEAD] != b"%016x %08x %08x " % (seq, len(payload), crc32(payload, seed ^ seq ^ (seq >> 32))):
        return None
    return seq, payload


def frame_many(first: int, payloads: list[bytes], seed: int) -> bytes:
    """`frame` of each in turn, numbered from `first` on."""
    if first + len(payloads) + max(map(len, payloads), default=0) >> 32:
        return b"".join([frame(seq, payload, seed) for seq, payload in enumerate(payloads, first)])
    lines = []
    for seq, payload in enumerate(payloads, first):
        numbers = hexlify(_pack(seq, len(payload), crc32(payload, seed ^ seq)), b" ", 4)
        lines.append(b"00000000%b %b\n" % (numbers, payload))
    return b"".join(lines)


def unframe_many(lines: list[bytes], seed: int) -> tuple[list[int], list[bytes]] | None:
    """`unframe` of each: the numbers and the JSON; None where one of them is not whole and genuine."""
    seqs: list[int] = []
    payloads: list[bytes] = []
    seq = -1
    for line in lines:
        payload, seq = line[HEAD:], seq + 1
        # Nearly always the next number stands there: what the line has to begin with is made and compared.
        checked = seq < _WORD and _pack(seq, len(payload), crc32(payload, seed ^ seq))
        if not checked or line[:HEAD] != b"00000000%b " % hexlify(checked, b" ", 4):
            whole = unframe(line, seed)
            if whole is None:
                return None
            seq, payload = whole
        seqs.append(seq)
        payloads.append(payload)
    return seqs, payloads


def promised(head: bytes) -> int:
    """How long a line's JSON is by its head; -1 where that is none."""
    try:
        return int(head[17:25], 16) if head[16:17] == head[25:26] == b" " else -1
    except ValueError:
        return -1


def frame_header(header: Header) -> bytes:
    """The first line."""
    payload = msgspec.json.encode(header)
    return b"%b %08x %b\n" % (MAGIC, crc32(payload), payload)


def unframe_header(line: bytes) -> Header:
    """The header of a first line without its newline.

    Raises:
        JournalError: not a whole, genuine first line.
        FormatError: written for newer readers than this one.
    """
    if line[:5] != MAGIC + b" " or line[13:14] != b" ":
        raise JournalError("not a runcast segment: its first line does not begin with RCJ1")
    payload = line[14:]
    if b"%08x" % crc32(payload) != line[5:13]:
        raise JournalError("the first line of the segment is damaged")
    try:
        needs = _decoder(_Needs).decode(payload)  # first, because the rest may have another form by then
        if needs.min_reader > FORMAT:
            raise FormatError(
                f"written in journal format {needs.format}, which needs a reader of {needs.min_reader}; "
                f"this runcast reads {FORMAT}: pip install -U runcast"
            )
        header: Header = _decoder(Header).decode(payload)
        return header
    except (msgspec.DecodeError, RecursionError) as error:
        raise JournalError(f"the first line of the segment is no header: {error}") from error
