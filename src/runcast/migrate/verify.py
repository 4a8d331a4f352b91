"""Reading a destination back and comparing it with the source: every point, param, tag and file digest."""

from __future__ import annotations

import contextlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Any, Literal

from pydantic import BaseModel

from runcast.catalog.texts import counted
from runcast.errors import RuncastError, UsageError
from runcast.migrate.content import Content, Uncopied
from runcast.migrate.engine import Plan
from runcast.migrate.manifest import RunEntry
from runcast.migrate.models_compared import ComparedModel, compared
from runcast.migrate.target import reading
from runcast.migrate.threads import Reader, each
from runcast.plugins.source import FoundRun, Selection
from runcast.records import Metrics, Record, System

EXAMPLES = 3
"""Points that are shown of a series that differs."""


class Difference(BaseModel):
    """One thing that is not the same on both sides.

    Attributes:
        what: ``metric``, ``param``, ``tag``, ``image``, ``artifact``, ``head``, ...
        name: which.
        source, destination: how it reads there; shortened.
    """

    what: str
    name: str
    source: str
    destination: str


class Verified(BaseModel):
    """One run or registered model, compared.

    Attributes:
        kind: which of the two.
        source, run, name: ids and name; a model has its name only.
        points, values, files: how many were compared: of metrics; params and tags, or versions; the rest.
        differences: none where both sides are the same.
        problem: why it could not be compared; "" where it could.
    """

    kind: Literal["run", "registered model"] = "run"
    source: str
    run: str
    name: str
    points: int = 0
    values: int = 0
    files: int = 0
    differences: list[Difference] = []
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was compared and is the same."""
        return not self.problem and not self.differences


NEVER = "it was never brought: `runcast migrate` brings it"
_Point = tuple[int, int, str]
"""Step, time and value."""
Watch = Callable[[str, str, Iterable[Record]], Iterable[Record]]
"""Given the source's id of a run, ``source`` or ``target`` and its records; gives the records."""


def verify(
    plan: Plan,
    selection: Selection | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
    watch: Watch = lambda run, side, records: records,
) -> Iterator[Verified]:
    """Compare each run of the source with the destination, then the registered models.

    A run that was never brought, or did not arrive, has that as its problem.

    Args:
        plan: from `runcast.migrate.prepare`.
        selection: which runs; every one, and every registered model, where left out.
        tell: called with runs done and runs in all.
        watch: sees the records of both sides as they are compared.

    Raises:
        UsageError: nothing was migrated yet, or no source can read the destination back.
    """
    entries = {id_: entry for id_, entry in plan.manifest.runs.items() if entry.ref is not None}
    if not entries:
        raise UsageError("nothing of this migration is in the destination yet: run `runcast migrate` first")
    with contextlib.closing(plan.source), reading(plan.manifest, plan.goes) as target:
        if target.source is None:
            what = f"{plan.destination.name} cannot be read back, so nothing can be verified"
            raise UsageError(f"{what}: {target.problem}")
        there = target.found({entry.ref.id for entry in entries.values() if entry.ref is not None})
        here = list(plan.source.runs(selection or Selection()))
        tell(0, len(here))
        with (
            contextlib.closing(Reader(plan.source, plan.where)) as source,
            contextlib.closing(Reader(target.source, target.where)) as goal,
        ):

            def compare(run: FoundRun) -> Verified | None:
                if run.id not in entries:
                    return _absent(run, plan.manifest.runs.get(run.id))
                return _verify(run, entries[run.id], source, goal, there, watch)

            remote = plan.source.is_remote or target.source.is_remote
            with contextlib.closing(each(compare, here, remote=remote)) as verified:
                for number, result in enumerate(verified, 1):
                    if result is not None:
                        yield result
                    tell(number, len(here))
        if selection in (None, Selection()):
            for model in compared(plan, target.source):
                yield _registered(model)


def _absent(run: FoundRun, entry: RunEntry | None) -> Verified | None:
    """A run of the source that is not in the destination; None where it was taken out on purpose."""
    if entry is None:
        return Verified(source=run.id, run="", name=run.name, problem=NEVER)
    if entry.state == "removed":
        return None
    why = f"it is not in the destination: {entry.reason or entry.state}"
    return Verified(source=run.id, run=entry.run, name=run.name, problem=why)


def _registered(model: ComparedModel) -> Verified:
    differences = [
        Difference(what=what, name=name, source=f"{a:.200}", destination=f"{b:.200}")
        for what, name, a, b in model.differences
    ]
    return Verified(
        kind="registered model", source=model.entry.source, run="", name=model.entry.source,
        values=model.versions, files=model.files, differences=differences, problem=model.problem,
    )  # fmt: skip


def _verify(
    run: FoundRun,
    entry: RunEntry,
    source: Reader,
    goal: Reader,
    there: dict[str, FoundRun],
    watch: Watch,
) -> Verified:
    result = Verified(source=run.id, run=entry.run, name=entry.name)
    ref = entry.ref.id if entry.ref is not None else ""
    found = there.get(ref)
    if found is None:
        result.problem = f"{ref} is not in the destination any more; migrate it again with --again"
        return result
    blobs = Uncopied()
    try:
        ours = Content.of(watch(run.id, "source", source.here().read(run, blobs)))
        theirs = Content.of(watch(run.id, "target", goal.here().read(found, blobs)))
    except (RuncastError, OSError) as error:
        result.problem = str(error)
        return result
    except Exception as error:  # a source is a plugin: one run's trouble must not stop the others
        result.problem = f"{type(error).__name__}: {error}"
        return result
    result.points = sum(series.count for series in ours.series.values())
    result.values = len(ours.params) + len(ours.tags)
    result.files = sum(map(len, ours.others.values()))
    result.differences = list(_compare(ours, theirs))
    wrong = {d.name for d in result.differences if d.what in ("metric", "system")}
    if wrong:
        with contextlib.suppress(RuncastError, OSError):
            _exemplify(result, source.here().read(run, blobs), goal.here().read(found, blobs), wrong)
    return result


def _compare(ours: Content, theirs: Content) -> Iterator[Difference]:
    for what, a, b in (
        ("head", ours.head, theirs.head),
        ("param", ours.params, theirs.params),
        ("tag", ours.tags, theirs.tags),
    ):
        for name in sorted(a.keys() | b.keys()):
            if not _same(a.get(name, _ABSENT), b.get(name, _ABSENT)):
                yield _difference(what, name, a.get(name, _ABSENT), b.get(name, _ABSENT))
    if ours.note != theirs.note:
        yield _difference("note", "", ours.note, theirs.note)
    for kind, name in sorted(ours.series.keys() | theirs.series.keys()):
        one, other = ours.series.get((kind, name)), theirs.series.get((kind, name))
        if one != other:
            counts = [counted(series.count, "point") if series else "absent" for series in (one, other)]
            yield Difference(what=kind, name=name, source=counts[0], destination=counts[1])
    for what, name in sorted(ours.others.keys() | theirs.others.keys()):
        said, read = ours.others.get((what, name)), theirs.others.get((what, name))
        if said != read:
            sums = [f"{counter.total() if counter else 0} of it" for counter in (said, read)]
            if sums[0] == sums[1]:
                sums = [f"{text}, other content" for text in sums]
            yield Difference(what=what, name=name, source=sums[0], destination=sums[1])


def _exemplify(result: Verified, ours: Iterable[Record], theirs: Iterable[Record], wrong: set[str]) -> None:
    """Put the first points that differ into the differences of series; takes their memory, no more."""
    one, other = _points(ours, wrong), _points(theirs, wrong)
    for difference in result.differences:
        key = difference.what, difference.name
        mine, its = one.get(key, Counter()), other.get(key, Counter())
        difference.source += _examples(mine - its)
        difference.destination += _examples(its - mine)


def _points(records: Iterable[Record], names: set[str]) -> dict[tuple[str, str], Counter[_Point]]:
    found: dict[tuple[str, str], Counter[_Point]] = {}
    for record in records:
        if isinstance(record, (Metrics, System)):
            what, step = ("metric", record.step) if isinstance(record, Metrics) else ("system", 0)
            for name in names & record.values.keys():
                point = step, record.time, repr(record.values[name])
                found.setdefault((what, name), Counter())[point] += 1
    return found


def _examples(points: Counter[_Point]) -> str:
    if not points:
        return ""
    shown = heapq.nsmallest(EXAMPLES, points.elements())
    texts = [f"{value} at step {step}, {_moment(time)}" for step, time, value in shown]
    more = points.total() - len(shown)
    return f", only here: {'; '.join(texts)}" + (f" and {more:,} more" if more else "")


def _moment(ns: int) -> str:
    """In UTC, to the nanosecond."""
    try:
        moment = datetime.fromtimestamp(ns // 10**9, timezone.utc)
    except (OverflowError, OSError, ValueError):
        return f"{ns} ns"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09}Z"


_ABSENT = object()


def _same(a: Any, b: Any) -> bool:
    # `repr` tells 1 from 1.0 and True, and knows NaN.
    return repr(a) == repr(b)


def _difference(what: str, name: str, a: Any, b: Any) -> Difference:
    shown = ["absent" if value is _ABSENT else f"{value!r:.200}" for value in (a, b)]
    return Difference(what=what, name=name, source=shown[0], destination=shown[1])
