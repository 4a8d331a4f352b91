"""Many records in one call: the same promise as one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runcast.journal import JournalWriter
from runcast.journal import writer as writer_module
from runcast.journal.frame import frame, frame_many, unframe, unframe_many

from .test_disk import Disk


@pytest.mark.parametrize("segment", [1 << 20, 1500])
def test_many_records_at_once_survive_a_write_that_stops_anywhere(
    tmp_path: Path, read_all: Any, metric: Any, monkeypatch: pytest.MonkeyPatch, segment: int
) -> None:
    """Wherever the disk fills up, and across the ends of segments, each record is there once and in order."""
    monkeypatch.setattr(writer_module, "SEGMENT_BYTES", segment)
    for room in [*range(0, 2000, 61), 1 << 40]:
        disk = Disk()
        writer = JournalWriter(tmp_path / str(room), "r", ops=disk, clock=iter(range(10**6)).__next__)
        writer.append(metric(1))
        disk.budget = room
        writer.append_many([metric(number) for number in range(2, 12)])
        disk.budget = 1 << 40
        writer.append_many([metric(number) for number in range(12, 20)])
        writer.append(metric(20))
        writer.close()
        records, damage = read_all(tmp_path / str(room))
        assert [(record.seq, record.time) for record in records] == [(n, n) for n in range(1, 21)]
        assert damage == []


words = st.integers(0, 2**32 - 1)
firsts = st.integers(1, 9) | st.integers(2**32 - 9, 2**32 + 2) | st.integers(2**62, 2**62 + 9)
payloads = st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=8)


@settings(max_examples=200, deadline=None)
@given(firsts, payloads, words)
@example(2**32 - 2, [b"a", b"b", b"c"], 0)
def test_lines_made_together_are_those_made_one_by_one(first: int, jsons: list[bytes], seed: int) -> None:
    """Numbers of more than 32 bits included."""
    each = [frame(seq, json, seed) for seq, json in enumerate(jsons, first)]
    assert frame_many(first, jsons, seed) == b"".join(each)


@settings(max_examples=300, deadline=None)
@given(firsts, payloads, words, st.sets(st.integers(0, 7)), st.integers(-1, 400), st.integers(0, 255))
def test_lines_read_together_are_those_read_one_by_one(
    first: int, jsons: list[bytes], seed: int, jumps: set[int], place: int, byte: int
) -> None:
    """With gaps in the numbers, and with a byte that was changed: then none of them counts as read."""
    seqs = [first + at + sum(jump <= at for jump in jumps) for at in range(len(jsons))]
    text = bytearray(b"".join(map(frame, seqs, jsons, [seed] * len(jsons))))
    if 0 <= place < len(text):
        text[place] = byte
    lines = bytes(text).split(b"\n")[:-1]
    each = [unframe(line, seed) for line in lines]
    whole = [one for one in each if one is not None]
    together = unframe_many(lines, seed)
    if len(whole) < len(each):
        assert together is None
    else:
        assert together == ([seq for seq, _ in whole], [json for _, json in whole])
