"""A source whose runs a test writes as plain records, and breaks where it likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.migrate import Plan, Progress, migrate, prepare
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Metrics, Params, Record, RunFinished, RunStarted, Tags


class Toy(Source):
    """Reads what `runs_` holds: id → records.

    Attributes:
        runs_: id → records.
        parents: id → the id of its parent.
        breaks: id → how many records come before it breaks.
        reads: ids, as they were read.
    """

    name: ClassVar[str] = "toy"

    def __init__(self, address: str = "shelf") -> None:
        super().__init__(address)
        self.runs_: dict[str, list[Record]] = {}
        self.parents: dict[str, str] = {}
        self.breaks: dict[str, int] = {}
        self.reads: list[str] = []

    @property
    def identity(self) -> str:
        return self.address

    def runs(self, selection: Selection) -> Iterator[FoundRun]:
        for id_, records in self.runs_.items():
            found = FoundRun(
                id=id_, experiment="exp", name=f"name-{id_}", parent=self.parents.get(id_),
                started=records[0].time, version=str(len(repr(records))),
            )  # fmt: skip
            if selection.has(found):
                yield found

    def read(self, run: FoundRun, blobs: Blobs) -> Iterator[Record]:
        self.reads.append(run.id)
        for number, record in enumerate(self.runs_[run.id]):
            if number == self.breaks.get(run.id, -1):
                raise SourceError(f"run {run.id} broke")
            yield record


def a_run(name: str = "r", points: int = 5, parent: str | None = None, **params: Any) -> list[Record]:
    """Records of one finished run."""
    start = 1_700_000_000_000_000_000
    records: list[Record] = [
        RunStarted(time=start, run="", experiment="exp", name=name, parent=parent, origin={"tracker": "toy"}),
        Params(time=start + 1, values={"lr": 0.1, **params}),
        Tags(time=start + 2, values={"a": "b"}),
    ]
    for step in range(points):
        records.append(Metrics(time=start + 10 + step, step=step, values={"x": step * 0.5, "n": step}))
    return [*records, RunFinished(time=start + 1000, status="finished")]


def bring(dest: str, **options: Any) -> tuple[Plan, Progress]:
    """One migration from the toy, in this process."""
    plan = prepare("toy:shelf", dest)
    return plan, migrate(plan, options.pop("selection", None), jobs=1, **options)
