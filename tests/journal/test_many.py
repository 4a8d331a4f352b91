"""Many records in one call: the same promise as one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcast.journal import JournalWriter
from runcast.journal import writer as writer_module

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
