"""What of a run goes to one backend: the rules, and that nothing is lost or doubled on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runcast
from runcast import codec
from runcast.config import Route
from runcast.courier.report import report
from runcast.courier.routing import Router
from runcast.errors import ConfigError, Reject, Retry
from runcast.journal import JournalWriter, Layout, read_run
from runcast.receipts import Change
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Media,
    Metrics,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Span,
    System,
    Tags,
    Trace,
    split,
)
from runcast.testing import MemoryBackend

from .lane_world import RUN, World


def routed(record: Record, **route: Any) -> tuple[Any, list[Change]]:
    """One record by one route."""
    changes: list[Change] = []
    return Router(Route(**route)).apply(record, changes.append), changes


def metrics(step: int = 0, /, **values: float) -> Metrics:
    """Numbers at one step; ``__`` in a name is ``/``."""
    return Metrics(time=1, step=step, values={key.replace("__", "/"): v for key, v in values.items()})


def test_include_and_exclude_speak_of_metrics_and_media() -> None:
    """What no pattern lets in stays out and is named; params and tags go everywhere."""
    kept, changes = routed(
        metrics(train__loss=1.0, val__loss=2.0, val__raw=3.0), include=["val/*"], exclude=["*raw"]
    )

    assert kept.values == {"val/loss": 2.0}
    assert [(c.what, c.key) for c in changes] == [("skipped", "train/loss"), ("skipped", "*raw")]
    media = Media(time=1, key="train/sample", step=0, type="text", text="x")
    assert routed(media, include=["val/*"])[0] is None
    params = Params(time=1, values={"train/lr": 0.1})
    assert routed(params, include=["val/*"])[0] == params


def test_other_kinds_are_meant_by_their_name() -> None:
    """``params:lr`` is a param, ``artifact:*`` an artifact, and so on."""
    params = Params(time=1, values={"lr": 0.1, "path": "x"})
    assert routed(params, exclude=["params:path"])[0].values == {"lr": 0.1}
    assert routed(params, rename={"params:lr": "learning_rate"})[0].values == {
        "learning_rate": 0.1,
        "path": "x",
    }
    assert routed(Tags(time=1, values={"a": ""}), include=["tags:b"])[0] is None
    artifact = Artifact(time=1, name="data", type="file", files=[], digest="d")
    assert routed(artifact, exclude=["artifact:*"])[0] is None
    assert routed(System(time=1, values={"cpu/percent": 1.0}), exclude=["system:*"])[0] is None
    trace = Trace(time=1, id="t", spans=[Span(id="s", name="rag", start=0, end=1)])
    assert routed(trace, exclude=["trace:r*"])[0] is None
    environment = Environment(time=1, values={"git": {}}, files=[FileRef("diff.patch", "0" * 64, 1)])
    assert routed(environment, exclude=["environment:*"])[0] is None
    assert routed(environment, exclude=["environment:diff.patch"])[0].files == []


def test_rename() -> None:
    """A name or a pattern with one star; what is said about a metric follows it."""
    rename = {"train/loss": "loss", "val/*": "valid/*_v"}
    kept, changes = routed(metrics(train__loss=1.0, val__acc=2.0, other=3.0), rename=rename)

    assert kept.values == {"loss": 1.0, "valid/acc_v": 2.0, "other": 3.0}
    assert changes == [
        Change("renamed", "train/loss", "loss, by its route"),
        Change("renamed", "val/acc", "valid/acc_v, by its route"),
    ]
    assert routed(Define(time=1, key="val/acc", goal="maximize"), rename=rename)[0].key == "valid/acc_v"


def test_a_name_that_was_given_away_is_held_back() -> None:
    """Two series must not run into one; swapping two names is fine."""
    kept, changes = routed(metrics(a=1.0, b=2.0), rename={"a": "b"})

    assert kept.values == {"b": 1.0}
    assert changes[-1].what == "skipped"
    assert "given to 'a'" in changes[-1].detail
    assert routed(metrics(a=1.0, b=2.0), rename={"a": "b", "b": "a"})[0].values == {"b": 1.0, "a": 2.0}


def test_every_and_sample() -> None:
    """Steps that are a multiple; a share that a hash draws; both say so once per name."""
    kept = [step for step in range(-20, 21) if routed(metrics(step, a=1.0), every=10)[0]]
    assert kept == [-20, -10, 0, 10, 20]

    drawn = [step for step in range(10_000) if routed(metrics(step, a=1.0), sample=0.25)[0]]
    assert 2300 < len(drawn) < 2700
    assert drawn == [step for step in range(10_000) if routed(metrics(step, a=1.0), sample=0.25)[0]]
    assert (
        "a share of 0.25"
        in routed(metrics(next(iter({*range(9)} - {*drawn})), a=1.0), sample=0.25)[1][0].detail
    )
    assert routed(metrics(3, a=1.0), sample=0.0)[0] is None
    assert routed(Params(time=1, values={"a": 1}), every=10, sample=0.0)[0] is not None


NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "val/acc", "\ud800", ""])
PATTERNS = st.sampled_from(["*", "a*", "a/?", "[ab]", "val/*", "nothing", "["])
ROUTES = st.builds(
    Route,
    include=st.lists(PATTERNS, max_size=2),
    exclude=st.lists(PATTERNS, max_size=2),
    rename=st.sampled_from([{}, {"a": "b"}, {"a/*": "c/*"}, {"*": "all/*"}]),
    every=st.integers(1, 3),
    sample=st.sampled_from([0.0, 0.5, 1.0]),
)


@given(ROUTES, st.dictionaries(NAMES, st.floats(allow_nan=False), min_size=1), st.integers(-5, 5))
def test_a_record_in_parts_is_routed_as_the_whole(route: Route, values: dict[str, float], step: int) -> None:
    """A batch that is refused and comes again name by name gives the same names and numbers."""
    record = Metrics(time=1, step=step, values=values, writer="w", seq=1)
    router = Router(route)
    whole = router.apply(record, lambda change: None)
    parts = [router.apply(part, lambda change: None) for part in split(record)]

    merged = {key: value for part in parts if isinstance(part, Metrics) for key, value in part.values.items()}
    assert merged == (whole.values if isinstance(whole, Metrics) else {})


def routed_world(world: World, **route: Any) -> World:
    """The world's run, with a route to its tracker."""
    for path in world.layout.journal(RUN).glob("*"):
        path.unlink()
    world.writer = JournalWriter(world.layout.journal(RUN), RUN, process=world.lock.name)
    world.say(RunStarted(time=1, run=RUN, experiment="e", name="n", routes={"scripted": route}))
    return world


def test_the_lane_holds_back_and_acknowledges(world: World) -> None:
    """The tracker gets its share, the cursor everything, the report says what was held back."""
    routed_world(world, include=["val/*"], every=2)
    for step in range(10):
        world.metrics(step, **{"val/acc": 0.5, "train/loss": 1.0})
    world.finish()

    assert world.run()[-1] == "finished"
    assert world.steps == [0, 2, 4, 6, 8]
    assert all(r.values == {"val/acc": 0.5} for r in world.tracker.stored if isinstance(r, Metrics))
    assert world.folder.load_cursor().records == 12
    changes = {(c.what, c.key) for c in world.folder.load_report().changes}
    assert {("skipped", "train/loss"), ("degraded", "val/acc")} <= changes


def test_a_batch_of_which_nothing_goes_there(world: World) -> None:
    """It is acknowledged without a call, and the run ends as always."""
    routed_world(world, include=["nothing"])
    world.run()
    calls = len(world.tracker.calls)
    world.metrics(1, 2, 3)
    world.run()

    assert len(world.tracker.calls) == calls
    assert world.folder.load_cursor().records == 4
    world.finish()
    assert world.run()[-1] == "finished"


@pytest.mark.parametrize("fault", [Retry("down"), Reject("no")])
def test_redelivery_is_routed_alike(world: World, fault: Exception) -> None:
    """Refused, retried or in parts: the tracker ends up with the same records."""
    routed_world(world, rename={"a": "b"}, every=2)
    world.metrics(*range(20))
    world.tracker.faults = [fault, None, fault]
    world.finish()
    world.run()

    assert world.steps == list(range(0, 20, 2))
    assert {key for r in world.tracker.stored if isinstance(r, Metrics) for key in r.values} == {"b"}


def test_each_generation_follows_its_own_route(world: World) -> None:
    """A resumed run may bring another route; what was said before keeps the old one."""
    routed_world(world, every=2)
    world.metrics(0, 1, 2, 3)
    world.finish()
    world.writer = JournalWriter(world.layout.journal(RUN), RUN, process=world.lock.name, generation=1)
    world.say(RunStarted(time=100, run=RUN, experiment="e", name="n", resumed=True))
    world.say(*(Metrics(time=110 + step, step=step, values={"a": 1.0}) for step in (4, 5, 6, 7)))
    world.say(RunFinished(time=199, status="finished"))
    world.run()

    assert world.steps == [0, 2, 4, 5, 6, 7]


def test_a_route_from_the_configuration(project: Path) -> None:
    """A script's route reaches its backend, and stands in the journal."""

    class Store(MemoryBackend):
        """Keeps what arrives."""

        name = "store"

    config = {"routes": {"store": {"include": "val/*", "rename": {"val/acc": "acc"}}}, "delivery": "thread"}
    with runcast.start("e", backends=[Store], config=config) as run:
        run.log({"val/acc": 1.0, "train/loss": 2.0}, step=0)

    layout = Layout(".runcast")
    started = next(read_run(layout.run(run.id)))
    assert isinstance(started, RunStarted)
    assert started.routes == {"store": {"include": ["val/*"], "rename": {"val/acc": "acc"}}}
    (backend,) = report(layout, run.id).backends
    assert [(c.what, c.key) for c in backend.changes if c.key in ("val/acc", "train/loss")] == [
        ("renamed", "val/acc"),
        ("skipped", "train/loss"),
    ]
    assert codec.encode(started)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"rename": {"a": "x", "b": "x"}}, "'a' gets the same name"),
        ({"rename": {"a/*": "b"}}, "both sides need one `*`"),
        ({"rename": {"": "b"}}, "must not be empty"),
        ({"evry": 3}, "do you mean `routes.local.every`?"),
        ({"every": 0}, "`routes.local.every` (argument): Expected `int` >= 1"),
        ({"sample": 2}, "`routes.local.sample` (argument): Expected `float` <= 1"),
        ({"include": [1]}, "`routes.local.include` (argument): Expected `str`"),
        ("val/*", "is a table with include"),
    ],
)
def test_a_wrong_route_fails_at_start(project: Path, route: Any, words: str) -> None:
    """Before anything is lost by it, with the mend."""
    with pytest.raises(ConfigError) as caught:
        runcast.start("e", config={"routes": {"local": route}})

    assert words in str(caught.value)


def test_a_route_for_a_misspelt_backend(project: Path) -> None:
    """One slip away from a chosen backend is a mistake; another script's backend is not."""
    with pytest.raises(ConfigError, match=r"do you mean \[routes.local\]"):
        runcast.start("e", config={"routes": {"locla": {"every": 2}}, "delivery": "later"})
    runcast.start("e", config={"routes": {"elsewhere": {"every": 2}}, "delivery": "later"}).finish()


def test_a_route_from_variables(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists by commas, tables as JSON."""
    monkeypatch.setenv("RUNCAST_ROUTES__LOCAL__INCLUDE", "val/*, test/*")
    monkeypatch.setenv("RUNCAST_ROUTES__LOCAL__EVERY", "10")
    monkeypatch.setenv("RUNCAST_ROUTES__LOCAL__RENAME", '{"val/acc": "acc"}')
    from runcast.config import load

    assert load().settings.routes == {
        "local": Route(include=["val/*", "test/*"], every=10, rename={"val/acc": "acc"})
    }
