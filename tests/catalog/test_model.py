"""Any stream of records, however it is cut and repeated, gives one catalog: that of a tiny model."""

from __future__ import annotations

import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcast import catalog
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Span,
    System,
    Tags,
    Trace,
)

if TYPE_CHECKING:
    from journals import Folder

text = st.text(st.characters(exclude_categories=()), max_size=6)
keys = st.sampled_from(["loss", "acc", "a/b", "", "$x", "\ud800", "é\x00"]) | text
scalars = st.booleans() | st.floats() | st.integers(-(2**70), 2**70)
plain = st.recursive(
    st.none() | scalars | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
)
times = st.integers(0, 2**62)
steps = st.integers(-(2**63), 2**63 - 1)
hexes = st.sampled_from(["a" * 64, "b" * 64])
file = st.builds(FileRef, text, hexes, st.integers(0, 2**40), uri=st.sampled_from(["", "s3://b/k"]))
files = st.lists(file, max_size=2)
span = st.builds(
    Span,
    id=hexes,
    name=text,
    start=times,
    end=times,
    error=st.none() | text,
    inputs=plain,
    attributes=st.dictionaries(text, plain, max_size=1),
)
records: st.SearchStrategy[Record] = st.one_of(
    st.builds(Metrics, time=times, step=steps, values=st.dictionaries(keys, scalars, max_size=3)),
    st.builds(Params, time=times, values=st.dictionaries(keys, plain, max_size=3)),
    st.builds(Tags, time=times, values=st.dictionaries(keys, text, max_size=2)),
    st.builds(Note, time=times, text=text),
    st.builds(
        Media,
        time=times,
        key=keys,
        step=steps,
        type=st.sampled_from(["text", "image", "roc_curve"]),
        text=st.none() | text,
        file=st.none() | file,
        files=files,
        data=st.dictionaries(text, plain, max_size=2),
    ),
    st.builds(
        Artifact,
        time=times,
        name=st.sampled_from(["m", "n"]),
        type=text,
        files=files,
        digest=hexes,
        aliases=st.lists(text, max_size=2),
        metadata=st.dictionaries(text, plain, max_size=1),
    ),
    st.builds(
        Model,
        time=times,
        name=st.sampled_from(["m", "n"]),
        flavor=st.sampled_from(["sklearn", "pyfunc"]),
        files=files,
        digest=hexes,
        step=st.none() | steps,
        example=plain,
        data=st.dictionaries(text, plain, max_size=1),
    ),
    st.builds(
        Input,
        time=times,
        name=text,
        type=text,
        digest=text,
        run=st.none() | text,
        files=files,
        metadata=st.dictionaries(text, plain, max_size=1),
    ),
    st.builds(Environment, time=times, values=st.dictionaries(keys, plain, max_size=2), files=files),
    st.builds(System, time=times, values=st.dictionaries(keys, scalars, max_size=2)),
    st.builds(
        Define,
        time=times,
        key=keys | st.sampled_from(["*", "l*"]),
        goal=st.sampled_from([None, "minimize", "maximize"]),
    ),
    st.builds(Trace, time=times, id=hexes, spans=st.lists(span, max_size=2)),
    st.builds(Lost, time=times, key=keys, reason=text, count=st.integers(1, 9)),
    st.builds(RunFinished, time=times, status=st.sampled_from(["finished", "failed", "killed"]), error=text),
    st.builds(
        RunStarted,
        time=times,
        run=st.just("r1"),
        experiment=text,
        name=text,
        parent=st.none() | text,
        group=text,
    ),
)
streams = st.lists(st.lists(records, max_size=12), min_size=1, max_size=3)
"""Records of one to three processes."""
plans = st.lists(st.tuples(st.integers(1, 7), st.integers(0, 9), st.booleans()), min_size=1, max_size=12)
"""Deliveries: size of the batch, how far to go back first, whether to open anew."""


def summary(key: str, points: list[tuple[int, int, Any]], defined: list[Define]) -> dict[str, Any]:
    """One metric, the plain way; `defined` without what was said anew of the same key."""
    fitting = [each for each in defined if fnmatchcase(key, each.key)]
    said = next((each for each in defined if each.key == key), fitting[-1] if fitting else None)
    values = [value for _, _, value in points]
    numbers = [(value, step) for step, _, value in points if value == value]
    smallest = min(numbers, key=lambda pair: pair[0], default=(None, None))
    largest = max(numbers, key=lambda pair: pair[0], default=(None, None))
    best = {None: (None, None), "maximize": largest, "minimize": smallest}[said.goal if said else None]
    return {
        "count": len(points),
        "step": points[-1][0],
        "time": points[-1][1],
        "first": values[0],
        "last": values[-1],
        "min": smallest[0],
        "max": largest[0],
        "min_step": smallest[1],
        "max_step": largest[1],
        "best": best[0],
        "best_step": best[1],
    }


def expected(stream: list[Record]) -> dict[str, Any]:
    """The model: what the stream says, in a few comprehensions."""
    values = [(record, k, v) for record in stream for k, v in getattr(record, "values", {}).items()]
    points: dict[str, list[tuple[int, int, Any]]] = {}
    for record, key, value in values:
        if isinstance(record, Metrics):
            points.setdefault(key, []).append((record.step, record.time, value))
    said = [record for record in stream if isinstance(record, Define)]
    defined = [each for n, each in enumerate(said) if each.key not in [later.key for later in said[n + 1 :]]]
    began: set[str] = set()
    alive: set[str] = set()
    status, end = "running", None
    for record in stream:
        if isinstance(record, RunStarted):
            began.add(record.writer)
            alive.add(record.writer)
            status, end = "running", None
        elif isinstance(record, RunFinished):
            alive.discard(record.writer)
            if not alive and (record.writer in began or not began):
                status, end = record.status, record.time
    return {
        "status": status,
        "end": end,
        "start": min((r.time for r in stream if isinstance(r, RunStarted)), default=None),
        "name": [r.name for r in stream if isinstance(r, RunStarted)][-1],
        "note": next((r.text for r in reversed(stream) if isinstance(r, Note)), None),
        "params": sorted({k: v for r, k, v in values if isinstance(r, Params)}.items()),
        "tags": sorted({k: v for r, k, v in values if isinstance(r, Tags)}.items()),
        "metrics": sorted((key, summary(key, each, defined)) for key, each in points.items()),
        "points": sum(map(len, points.values())),
        "lost": sum(r.count for r in stream if isinstance(r, Lost)),
    }


def actual(folder: Folder) -> dict[str, Any]:
    """The same of the catalog, through the public functions."""
    whole = catalog.run("r1", dir=folder.dir).to_dict()
    return {
        name: sorted(whole[name].items()) if isinstance(whole[name], dict) else whole[name]
        for name in ("status", "end", "start", "name", "note", "params", "tags", "metrics", "points", "lost")
    }


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Power loss is not what these tests are about."""
    monkeypatch.setattr("runcast.catalog.database.SYNCHRONOUS", "OFF")


@pytest.mark.usefixtures("unsynced")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(streams, plans)
def test_deliveries_of_any_shape_agree(rc: Folder, parts: list[list[Record]], plan: list[Any]) -> None:
    """Batches, repeats and reopening = one clean delivery = a rebuild = the model."""
    from journals import Folder, dump

    with tempfile.TemporaryDirectory() as name:
        clean, rough, anew = (Folder(Path(name) / each) for each in ("clean", "rough", "anew"))
        clean.run("r1", status=None)
        for part in parts:
            clean.write("r1", part)
        for other in (rough, anew):
            other.layout.root.mkdir()
            other.layout.runs.symlink_to(clean.layout.runs)
        stream = clean.records("r1")

        clean.deliver("r1")
        deliver_roughly(rough, stream, plan)
        catalog.rebuild(anew.dir)

        assert repr(actual(clean)) == repr(expected(stream))
        assert dump(rough.layout.catalog) == dump(clean.layout.catalog)
        assert dump(anew.layout.catalog) == dump(clean.layout.catalog)
        catalog.rebuild(rough.dir)
        assert dump(rough.layout.catalog) == dump(clean.layout.catalog)


def deliver_roughly(folder: Folder, stream: list[Record], plan: list[tuple[int, int, bool]]) -> None:
    """Follow the plan, as a courier that dies now and then, until everything was delivered."""
    backend = folder.open("r1")
    done = 0
    for size, back, reopen in [*plan, (len(stream), 0, False)]:
        if reopen:
            backend.close()
            backend = folder.open("r1")
            done = max(done - back, 0)
        backend.deliver(stream[done : done + size])
        done = min(done + size, len(stream))
    backend.deliver(stream[done:])
    backend.close()
