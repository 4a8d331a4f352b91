"""A → B → A is exact, for every ordered pair of trackers and every kind of record.

Each leg is the backend's own delivery of records into a real store, and the source's reading of that store.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from runcast.errors import ConfigError
from runcast.journal import Blobs, JournalReader, Layout
from runcast.migrate.content import Content
from runcast.plugins.manager import backend_class, source_class, source_names
from runcast.plugins.source import Selection
from runcast.records import Record, RunFinished, RunStarted, files_of
from runcast.testing import strategies
from runcast.testing.courier import Courier
from runcast.testing.golden import STORIES, Story

TRACKERS = [name for name in ("local", "tensorboard", "mlflow", "wandb") if name in source_names()]
PAIRS = list(itertools.permutations(TRACKERS, 2))
TOLD = (
    "training",
    "varied",
    "steps",
    "resumed",
    "crashed",
    "artifact",
    "values",
    "names",
    "media",
    "everything",
)

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
Leg = Callable[[list[Record], Path], list[Record]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MLflow's address: one database for all, because making one takes seconds."""
    before = dict(os.environ)
    yield f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    for name in set(os.environ) - set(before):
        if name.startswith("MLFLOW_"):
            del os.environ[name]


@pytest.fixture
def through(tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Record]]:
    """``through(tracker, records)``: what is read back of a tracker that these were delivered to."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    numbers = itertools.count()
    blobs = Blobs(tmp_path / "all" / "blobs")

    def leg(tracker: str, records: list[Record]) -> list[Record]:
        root = tmp_path / f"{next(numbers)}-{tracker}"
        root.mkdir()
        story = Story([("main", record) for record in records], _contents(records, blobs))
        options: dict[str, Any] = {"mlflow": {"uri": store}, "wandb": {"mode": "offline"}}.get(tracker, {})
        courier = Courier(backend_class(tracker), options, root, story)
        ref = courier.play().ref
        assert ref is not None
        courier.bury()
        folders = {"local": ".runcast", "tensorboard": "runs", "wandb": "wandb"}
        place = store if tracker == "mlflow" else str(root / folders[tracker])
        source = source_class(tracker)(place)
        try:
            (found,) = source.runs(Selection(runs=(ref.id,)))
            return [_unplaced(record) for record in source.read(found, blobs)]
        finally:
            source.close()

    def told(tracker: str, story: Story | list[Record]) -> list[Record]:
        if isinstance(story, list):
            return leg(tracker, story)
        for content in story.files.values():
            blobs.put_bytes(content)
        return leg(tracker, said(story, tmp_path / f"said-{next(numbers)}"))

    return told


def said(story: Story, root: Path) -> list[Record]:
    """A story's records in the order of a journal, told by one process."""
    courier = Courier(backend_class("local"), {}, root, story)
    reader = JournalReader(Layout(root / ".runcast").journal(courier.id), run=courier.id)
    records: list[Record] = []
    while batch := reader.read():
        records += batch
    return [_unplaced(record) for record in records]


def _unplaced(record: Record) -> Record:
    """Without what one place gives it: its writer, its run's id, where relative paths begin."""
    record = msgspec.structs.replace(record, writer="", seq=0)
    if isinstance(record, RunStarted):
        return msgspec.structs.replace(record, run="", base="", parent=None, backends={}, routes={})
    if isinstance(record, RunFinished):
        return msgspec.structs.replace(record, of=None)
    return record


def _contents(records: list[Record], blobs: Blobs) -> dict[str, bytes]:
    found = {}
    for record in records:
        for file in files_of(record):
            path = blobs.path(file.sha256) if file.sha256 else None
            if path is not None and path.is_file():
                found[file.sha256] = path.read_bytes()
    return found


def differences(a: Content, b: Content) -> dict[str, Any]:
    """Where two readings differ; nothing where they are the same."""
    found: dict[str, Any] = {}
    for field in ("head", "params", "tags", "note", "series", "others"):
        one, other = getattr(a, field), getattr(b, field)
        if isinstance(one, dict):
            keys = [k for k in {**one, **other} if repr(one.get(k)) != repr(other.get(k))]
            keys = [k for k in keys if field != "series" or one.get(k) != other.get(k)]
            found |= {f"{field} {key}": (one.get(key), other.get(key)) for key in keys}
        elif one != other:
            found[field] = one, other
    return found


def test_every_tracker_can_be_read() -> None:
    """There are twelve ordered pairs."""
    assert len(PAIRS) == 12


@pytest.mark.parametrize("story", TOLD)
@pytest.mark.parametrize("tracker", TRACKERS)
def test_what_was_delivered_is_read_as_it_was_said(
    through: Callable[..., list[Record]], tmp_path: Path, tracker: str, story: str
) -> None:
    """One tracker: values, types, times, steps, names, files, down to the last digit."""
    whole = STORIES[story]()
    wanted = Content.of(said(whole, tmp_path / "wanted"))
    assert differences(wanted, Content.of(through(tracker, whole))) == {}


@pytest.mark.parametrize("story", ["training", "values", "media", "everything"])
@pytest.mark.parametrize(("a", "b"), PAIRS, ids="-".join)
def test_there_and_back_is_exact(through: Callable[..., list[Record]], a: str, b: str, story: str) -> None:
    """A run of A, moved to B, and from B to another A, is the same run."""
    first = through(a, STORIES[story]())
    back = through(a, through(b, first))
    assert differences(Content.of(first), Content.of(back)) == {}


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=strategies.stories(max_size=6))
@pytest.mark.parametrize(("a", "b"), [pair for pair in PAIRS if "mlflow" not in pair], ids="-".join)
def test_any_run_survives(through: Callable[..., list[Record]], a: str, b: str, story: Story) -> None:
    """Whatever a script can say between its start and its end."""
    try:
        first = through(a, story)
    except ConfigError:  # a name that no folder can have
        return
    assert differences(Content.of(first), Content.of(through(a, through(b, first)))) == {}
