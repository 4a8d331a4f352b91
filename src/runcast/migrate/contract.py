"""The loss contract: what each run holds, and what the destination cannot hold of it as it is.

Nothing is written: each run is read through its source, with its content counted and not kept.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import BaseModel

from runcast.errors import RuncastError
from runcast.migrate import outcome, registered
from runcast.migrate.content import Uncopied
from runcast.migrate.engine import Plan, chosen
from runcast.migrate.features import Features
from runcast.migrate.threads import Reader, each
from runcast.plugins.capabilities import Capabilities, Level
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Lost, Metrics, Record, kind
from runcast.redact import redact_text

TELL = 5_000
_LOSING: tuple[Level, ...] = ("notimpl", "notyet", "never")
State = Literal["new", "changed", "unchanged", "conflict", "unreadable"]


class Less(BaseModel):
    """A feature that a run uses and the destination holds less than natively.

    Attributes:
        feature: name of a field of `runcast.plugins.Capabilities`.
        description: in words.
        uses: how many values, points or records use it.
        level: ``mapped``: kept in another form; else lost.
        note: the destination's own words.
    """

    feature: str
    description: str
    uses: int
    level: Level
    note: str


class Foreseen(BaseModel):
    """One run or registered model before it is brought.

    Attributes:
        kind: which of the two.
        id, experiment, name: as in the source; a model has its name only.
        state: what a migration would do with it: ``unchanged`` is left out, ``unreadable`` would fail.
        kinds: records of each kind, metrics counted by their points; ``versions`` of a model.
        bytes: of files.
        uses: feature → how many values, points or records use it.
        less: those that the destination holds less than natively.
        lost: what the source cannot read, in words; the first 20.
        problem: why it cannot be read.
    """

    kind: Literal["run", "registered model"] = "run"
    id: str
    experiment: str
    name: str
    state: State
    kinds: dict[str, int] = {}
    bytes: int = 0
    uses: dict[str, int] = {}
    less: list[Less] = []
    lost: list[str] = []
    problem: str = ""

    @property
    def loses(self) -> bool:
        """Whether anything would be lost, on either side."""
        return bool(self.lost or self.problem) or any(less.level in _LOSING for less in self.less)

    @property
    def maps(self) -> bool:
        """Whether anything would be kept in another form, or lost."""
        return self.loses or bool(self.less)


def plan(
    prepared: Plan,
    selection: Selection | None = None,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Iterator[Foreseen]:
    """Read every selected run, and hold it against what the destination declares; then registered models.

    Args:
        prepared: from `runcast.migrate.prepare`.
        selection: which runs; all where left out.
        tell: called with runs done and runs in all.

    Raises:
        UsageError: no run is selected.
    """
    with contextlib.closing(prepared.source):
        found = chosen(prepared.source, selection or Selection())
        tell(0, len(found))
        with contextlib.closing(Reader(prepared.source, prepared.where)) as source:
            remote = prepared.source.is_remote
            foreseen = each(lambda run: _foresee(prepared, source.here, run), found, remote=remote)
            with contextlib.closing(foreseen):
                for number, result in enumerate(foreseen, 1):
                    yield result
                    tell(number, len(found))
        yield from _models(prepared)


def _models(prepared: Plan) -> Iterator[Foreseen]:
    try:
        models = list(prepared.source.registered())
    except (RuncastError, OSError) as error:
        problem = redact_text(str(error))
        yield Foreseen(
            kind="registered model", id="", experiment="", name="", state="unreadable", problem=problem
        )
        return
    why = registered.absent(prepared) if models else ""
    for model in models:
        entry = prepared.manifest.models.get(model.name)
        state: State = "new"
        if entry is not None and entry.state != "removed":
            same = entry.state == "delivered" and entry.version == registered.version_of(model)
            state = "unchanged" if same else "conflict" if entry.state == "conflict" else "changed"
        count = len(model.versions)
        lost = Less(feature="registry", description="registered models", uses=count, level="never", note=why)
        yield Foreseen(
            kind="registered model", id=model.name, experiment="", name=model.name, state=state,
            kinds={"versions": count}, less=[lost] if why else [],
        )  # fmt: skip


def _foresee(prepared: Plan, source: Callable[[], Source], run: FoundRun) -> Foreseen:
    entry = prepared.manifest.runs.get(run.id)
    state: State = "new"
    if entry is not None and entry.state != "removed":
        state = "unchanged" if outcome.is_unchanged(entry, run) else "changed"
        state = "conflict" if entry.state == "conflict" else state
    foreseen = Foreseen(id=run.id, experiment=run.experiment, name=run.name, state=state, problem=run.problem)
    blobs, features, kinds = Uncopied(), Features(), Counter[str]()
    try:
        for record in source().read(run, blobs):
            features.take(record)
            _count(kinds, foreseen, record)
    except (RuncastError, OSError) as error:
        foreseen.state, foreseen.problem = "unreadable", redact_text(str(error))
    except Exception as error:  # a source is a plugin: one run's trouble must not stop the others
        foreseen.state = "unreadable"
        foreseen.problem = redact_text(f"{type(error).__name__}: {error}")
    foreseen.kinds, foreseen.bytes, foreseen.uses = dict(kinds), blobs.bytes, dict(features.uses)
    foreseen.less = list(less(features.uses, prepared.destination.backend.capabilities))
    return foreseen


def _count(kinds: Counter[str], foreseen: Foreseen, record: Record) -> None:
    if isinstance(record, Lost):
        if len(foreseen.lost) < 20:
            foreseen.lost.append(f"{record.key}: {record.reason}" if record.key else record.reason)
        return
    kinds[kind(record)] += len(record.values) if isinstance(record, Metrics) else 1


def less(uses: Counter[str], capabilities: Capabilities) -> Iterator[Less]:
    """Which of the used features a destination holds less than natively, the worst first."""
    found = []
    for feature, field in type(capabilities).model_fields.items():
        support = getattr(capabilities, feature)
        if uses[feature] and support.level != "native":
            text = field.description or feature
            found.append(
                Less(
                    feature=feature,
                    description=text,
                    uses=uses[feature],
                    level=support.level,
                    note=support.note,
                )
            )
    yield from sorted(found, key=lambda less: less.level not in _LOSING)
