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
from runcast.records import Record
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
