"""What runcast wrote into MLflow comes back as it was said."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from runcast.backends.mlflow import MlflowBackend
from runcast.journal import Blobs
from runcast.migrate.content import Content
from runcast.plugins.source import Selection
from runcast.records import Artifact, Media, Metrics, Note, Params, Record, System, Tags
from runcast.sources.mlflow import MlflowSource
from runcast.testing import golden
from runcast.testing.courier import Courier
from runcast.testing.golden import Story
from runcast.testing.strategies import stories


def delivered(story: Story, path: Path) -> list[Record]:
    """Carry a story into a database; gives the records that its journal holds."""
    courier = Courier(MlflowBackend, {"uri": f"sqlite:///{path}"}, path.parent, story)
    courier.open()
    courier.carry(courier.records)
    courier.close()
    courier.bury()
    assert not courier.rejected
    return courier.records


def read(path: Path) -> list[Record]:
    """The only run of a database."""
    source = MlflowSource(f"sqlite:///{path}")
    (run,) = source.runs(Selection())
    records = list(source.read(run, Blobs(path.parent / "read")))
    source.close()
    return records


def same(said: list[Record], back: list[Record]) -> None:
    """Both have the same content; names what differs."""
    one, other = Content.of(said), Content.of(back)
    for part in ("head", "params", "tags", "others"):
        left, right = getattr(one, part), getattr(other, part)
        assert left.keys() == right.keys(), part
        assert [(part, k, repr(right[k])) for k in left] == [(part, k, repr(left[k])) for k in left]
    assert other.note == one.note
    counts = {name: series.count for name, series in one.series.items()}
    assert {name: series.count for name, series in other.series.items()} == counts
    assert {name: series.digest for name, series in other.series.items()} == {
        name: series.digest for name, series in one.series.items()
    }


@pytest.mark.parametrize("name", golden.STORIES)
def test_golden_stories(name: str, database: Callable[..., Path]) -> None:
    """Each kind of story: params with their types, names, ns, ints, media, artifacts, ends."""
    path = database()
    said = delivered(golden.STORIES[name](), path)

    back = read(path)
    same(said, back)
    assert type(back[0]).__name__ == "RunStarted"
    assert type(back[-1]).__name__ == "RunFinished"


@settings(
    max_examples=10,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=stories())
def test_any_story(story: Story, fresh_database: Path) -> None:
    """Whatever a run says, it can be read back."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mlflow.db"
        path.write_bytes(fresh_database.read_bytes())
        same(delivered(story, path), read(path))


def test_what_people_changed_since_wins(database: Callable[..., Path]) -> None:
    """A tag, note, name, point or file that was added or edited in MLflow; the rest is exact."""
    from mlflow import MlflowClient

    path = database()
    story = Story().start().say(Params, values={"lr": 1}).say(Tags, values={"a": "x\0", "b": "y"})
    story.say(Note, text="n\0").metrics(0, loss=1, other=0.5).text("t", 0, "said")
    delivered(story.finish(), path)
    client = MlflowClient(f"sqlite:///{path}")
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    id_ = run.info.run_id
    client.set_tag(id_, "a", "edited")
    client.set_tag(id_, "mlflow.note.content", "new note")
    client.set_tag(id_, "mlflow.runName", "better")
    client.log_metric(id_, "loss", 7.5, timestamp=golden.START // 10**6 + 99, step=1)
    client.log_text(id_, "new", "added.txt")
    client.log_text(id_, "changed", "text/t/0.txt")
    client.set_terminated(id_, "KILLED", end_time=golden.START // 10**6 + 500)

    back = read(path)
    content = Content.of(back)

    assert content.params == {"lr": 1}
    assert content.tags == {"a": "edited", "b": "y"}
    assert content.note == "new note"
    assert (content.head["name"], content.head["status"]) == ("better", "killed")
    points = [(m.step, m.time, m.values) for m in back if isinstance(m, Metrics)]
    assert points == [
        (0, golden.START + 4 * golden.TICK, {"loss": 1, "other": 0.5}),
        (1, golden.START // 10**6 * 10**6 + 99_000_000, {"loss": 7.5}),
    ]
    assert type(points[0][2]["loss"]) is int
    assert [m.text for m in back if isinstance(m, Media)] == ["changed"]
    assert [a.name for a in back if isinstance(a, Artifact)] == ["files"]


def test_histories_that_are_not_in_order(database: Callable[..., Path]) -> None:
    """Rows that go back in time, looks at the machine, and points that are equal to MLflow."""
    path = database()
    story = Story().start()
    at = golden.START + 10**12
    for step in (5, 4, 3):
        story.said.append(("main", Metrics(time=at + step * 10**9 + step, step=step, values={"x": step})))
    for ns in (1, 2, 3):
        story.said.append(("main", Metrics(time=at + ns, step=0, values={"same": 1.0, "y": ns / 8})))
    values = {"cpu/percent": 12.5, "memory/used_bytes": 123456789}
    story.said.append(("main", System(time=at + 17, values=values)))

    same(delivered(story.finish(), path), read(path))
