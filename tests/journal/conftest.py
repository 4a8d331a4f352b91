"""What the journal's tests share: small records, and a look at everything that was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runcast import codec
from runcast.journal import Damage, JournalReader
from runcast.records import Metrics, Params, Record

ReadAll = Callable[[Path], tuple[list[Record], list[Damage]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run's journal folder, not made yet."""
    return tmp_path / "runs" / "r" / "journal"


@pytest.fixture
def metric() -> Callable[[int], bytes]:
    """JSON of the metric that carries `i`, said at time `i`."""
    return lambda i: codec.encode(Metrics(time=i, step=i, values={"m": i}))


@pytest.fixture
def param() -> Callable[[int], bytes]:
    """JSON of the param that carries `i`, said at time `i`."""
    return lambda i: codec.encode(Params(time=i, values={"p": i}))


@pytest.fixture
def read_all() -> ReadAll:
    """Every record below a folder, and everything that was found wrong."""

    def read(folder: Path) -> tuple[list[Record], list[Damage]]:
        reader = JournalReader(folder)
        records: list[Record] = []
        while batch := reader.read():
            records += batch
        return records, reader.damage

    return read
