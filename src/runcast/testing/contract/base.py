"""What a subclass of the kit supplies, and what the kit's tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runcast.plugins import Backend, OpenRun, Ref
from runcast.records import Media, Metrics, Record
from runcast.testing.compare import View, differences
from runcast.testing.courier import Courier
from runcast.testing.golden import Story
from runcast.testing.readback import ReadBack

Make = Callable[..., Courier]


class Kit:
    """The part that a backend's author fills in."""

    backend: ClassVar[type[Backend]]
    """The class under test, in a module that can be imported."""
    time_resolution: ClassVar[int] = 1
    """ns; how far a point's time may be off where ``metric_times`` is native."""
    sdk: ClassVar[Sequence[str]] = ()
    """Packages that must not be imported before ``open``, besides those in ``Backend.requires``."""
    own_files: ClassVar[bool] = True
    """Whether the backend itself makes the tracker's files, and so answers for their permissions."""
    keeps_last_step: ClassVar[bool] = False
    """Whether the newest step may stay in ``run.state`` until it is complete or the run ends."""
    url_option: ClassVar[str | None] = None
    """Name of an option that takes a URL, to be tried with a password in it."""
    examples: ClassVar[int] = 15
    """How many random stories each property is tried with; always the same ones."""

    def options(self, tmp_path: Path) -> Mapping[str, Any]:
        """Options for a tracker that is there and takes everything.

        Args:
            tmp_path: the project's folder; relative paths in options start there.
        """
        return {}

    def read_back(self, run: OpenRun) -> ReadBack:
        """What the tracker holds of the run, by the tracker's own tools; must not use the backend.

        Args:
            run: as the backend gets it; its ``state`` is what was saved last.
        """
        raise NotImplementedError(f"{type(self).__name__} lacks read_back(run)")

    # What the tests are made of.

    def courier(
        self, root: Path, story: Story, *, parent: Ref | None = None, run: str | None = None
    ) -> Courier:
        """A courier for one run of the backend under test."""
        return Courier(self.backend, self.options(root), root, story, run=run, parent=parent)

    @pytest.fixture
    def carry(self, tmp_path: Path) -> Iterator[Make]:
        """``carry(story)`` makes a courier; its dead instances are buried after the test."""
        made: list[Courier] = []

        def make(story: Story, **fields: Any) -> Courier:
            made.append(self.courier(tmp_path, story, **fields))
            return made[-1]

        yield make
        for courier in made:
            courier.bury()

    def view(self, courier: Courier) -> View:
        """What may differ for this run."""
        times = [record.time for record in courier.records]
        return View(
            self.backend.capabilities, courier.changes, self.time_resolution, (min(times), max(times))
        )

    def check(self, courier: Courier, records: Sequence[Record] | None = None) -> None:
        """The tracker holds these records, or all that were not refused; else say what differs."""
        if records is None:
            records = courier.records
            refused = {(r.writer, r.seq, *getattr(r, "values", ())) for r, _ in courier.rejected}
            if refused:
                parts = [part for record in records for part in _split(record)]
                records = [p for p in parts if (p.writer, p.seq, *getattr(p, "values", ())) not in refused]
        found = differences(courier.expected(records), self.read_back(courier.context()), self.view(courier))
        assert not found, "what was delivered and what the tracker holds:\n" + "\n".join(found)

    def check_unfinished(self, courier: Courier, records: Sequence[Record]) -> None:
        """As `check`, for a run that goes on: its newest step may still be on its way."""
        if self.keeps_last_step:
            last = next((r for r in reversed(records) if isinstance(r, (Metrics, Media))), None)
            step = last.step if last is not None else None
            older = [r for r in records if not isinstance(r, (Metrics, Media)) or r.step != step]
            seen = self.read_back(courier.context())
            if not differences(courier.expected(older), seen, self.view(courier)):
                return
        self.check(courier, records)


def _split(record: Record) -> list[Record]:
    from runcast.records import split

    return split(record)
