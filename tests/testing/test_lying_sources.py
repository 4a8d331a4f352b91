"""The kit finds out sources that break their promise, each by the test that is made for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, ClassVar

import msgspec
import pytest

from runcast import codec
from runcast.journal import Blobs, JournalWriter, Layout
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Metrics, Params, Record, RunFinished, RunStarted
from runcast.sources.local import LocalSource
from runcast.testing import Courier, MemoryBackend, SourceContract, Story

numbers = itertools.count(1)


class Altered(LocalSource):
    """Gives something else than it has read."""

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        return self.alter(super().read(run, blobs), run)

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        return records


class Restless(LocalSource):
    """Is another store each time."""

    @property
    def identity(self) -> str:
        return f"{super().identity}#{next(numbers)}"


class Loser(Altered):
    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        yield from (record for record in records if not (isinstance(record, Metrics) and record.step == 1))


class Forgetful(Altered):
    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        yield from (record for record in records if not isinstance(record, Params))


class Shuffler(Altered):
    """Another order at every second reading."""

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        first, *middle, last = records
        yield from (first, *(middle[::-1] if next(numbers) % 2 else middle), last)


class Newest(Altered):
    """The newest point first."""

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        first, *rest = records
        yield from (first, *sorted(rest, key=lambda r: -r.time if isinstance(r, Metrics) else 0))


class Rootless(Altered):
    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        for record in records:
            yield msgspec.structs.replace(record, origin={}) if isinstance(record, RunStarted) else record


class Endless(Altered):
    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        yield from (record for record in records if not isinstance(record, RunFinished))


class Hoarder(Altered):
    """Everything in memory before the first record."""

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        yield from list(records)


class Writer(Altered):
    """Leaves a note in the store."""

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        Path(self.address, "seen").touch()
        yield from records


class Inventor(Altered):
    """Fills in what is missing."""

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        record: Record | None = None
        for record in records:
            yield record
        if not isinstance(record, RunFinished):
            yield Metrics(time=run.started or 0, step=999, values={"train/loss": 0.0})


class Generous(LocalSource):
    """Gives all, whatever was asked for."""

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        return super().runs(Selection())


class Obliging(Altered):
    """A run that is not there is an empty one."""

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        return super().read(run, blobs) if run.started else iter(())


class Leaky(Altered):
    """Never closes what it has opened."""

    kept: ClassVar[list[IO[bytes]]] = []

    def alter(self, records: Iterator[Record], run: FoundRun) -> Iterator[Record]:
        self.kept += [path.open("rb") for path in Path(self.address).rglob("*.rcj")]
        yield from records


class Stuck(LocalSource):
    """Never says that a run has changed."""

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        yield from (msgspec.structs.replace(run, version="1") for run in super().runs(selection))


def kit(kind: type[Source]) -> SourceContract:
    """The kit for a source of journals."""

    class Kit(SourceContract):
        def source(self, tmp_path: Path) -> Source:
            return kind(str(tmp_path / ".runcast"))

        def write(self, tmp_path: Path, story: Story) -> str:
            return Courier(MemoryBackend, {}, tmp_path, story).id

        def extend(self, tmp_path: Path, run: str, story: Story) -> None:
            writer = JournalWriter(Layout(tmp_path / ".runcast").journal(run), run, generation=1)
            for _, record in story.said:
                writer.append(codec.encode(record))
            writer.close()

    return Kit()


LIARS: list[tuple[type[Source], Callable[[SourceContract, Path], None]]] = [
    (Restless, SourceContract.test_the_identity_stays),
    (Loser, SourceContract.test_what_was_said_comes_back),
    (Forgetful, SourceContract.test_what_was_said_comes_back),
    (Shuffler, SourceContract.test_two_readings_are_equal),
    (Newest, SourceContract.test_what_was_there_keeps_its_order),
    (Stuck, SourceContract.test_what_was_there_keeps_its_order),
    (Rootless, SourceContract.test_it_begins_and_ends),
    (Endless, SourceContract.test_it_begins_and_ends),
    (Hoarder, SourceContract.test_a_long_run_needs_little_memory),
    (Writer, SourceContract.test_reading_changes_nothing),
    (Inventor, SourceContract.test_a_damaged_store),
    (Generous, SourceContract.test_selection),
    (Obliging, SourceContract.test_a_run_that_is_not_there),
    (Leaky, SourceContract.test_closing_lets_go),
]


@pytest.mark.parametrize(
    ("liar", "test"),
    [pytest.param(*one, marks=[pytest.mark.slow] if one[0] is Hoarder else []) for one in LIARS],
    ids=[f"{liar.__name__}-{test.__name__}" for liar, test in LIARS],
)
def test_a_liar_is_found_out(
    tmp_path: Path, liar: type[Source], test: Callable[[SourceContract, Path], None]
) -> None:
    """By the test that is named; an honest source passes it, see ``tests/conformance``."""
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        test(kit(liar), tmp_path)
    for file in Leaky.kept:
        file.close()
    Leaky.kept.clear()
