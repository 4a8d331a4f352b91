"""Crashes, redelivery, rejection: MLflow holds every point once, and none is missing."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable

import msgspec
import pytest

from runcast.backends.mlflow.sender import Cursor
from runcast.errors import Reject, Retry
from runcast.records import Artifact, Lost, Media, Note, Params, Record, Tags, split

from .lives import START, Life, Store, metrics

Lives = Callable[..., Life]


def history(one: Life) -> list[Record]:
    """A run with something of each kind, hostile names and a conflict included."""
    file = one.blob("m.bin", b"model")
    return one.numbered(
        [
            Params(time=START, values={"lr": 0.1, "odd#key": "x", "long": "p" * 7000}),
            *(metrics(step, loss=step / 3, **{"acc@1": 0.5}, inf=math.inf) for step in range(20)),
            Params(time=START, values={"lr": 0.2}),
            Tags(time=START, values={"a": "1", "runcast.x": "2"}),
            Tags(time=START, values={"a": "3"}),
            Note(time=START, text="note"),
            Media(time=START, key="text", step=1, type="text", text="hello"),
            Media(time=START + 1, key="text", step=1, type="text", text="world"),
            Artifact(time=START, name="m", type="model", files=[file], digest="1" * 64, aliases=["best"]),
            Lost(time=START, key="x", reason="no number", count=2),
            metrics(20, loss=0.0, nan=math.nan),
            one.finished("crashed"),
        ]
    )


@pytest.mark.fault(
    "F25",
    how="every batch of a run twice",
    outcome="MLflow holds each point once",
)
def test_everything_twice(life: Lives, store: Store) -> None:
    """The same batch again, to a new process with the old state: nothing changes."""
    one = life()
    records = history(one)
    one.open()
    one.deliver(*records, ack=False)
    before = store.everything()
    one.deliver(*records)

    assert store.everything() == before
    assert len(store.points("loss")) == 21


@pytest.mark.parametrize("folder", ["kept", "lost"])
def test_everything_again_without_state(life: Lives, store: Store, folder: str) -> None:
    """A courier that lost its memory delivers all of it to the same MLflow run, record by record."""
    one = life()
    records = history(one)
    one.deliver(*records)
    before = store.everything()
    one.state, one.backend = {}, None
    if folder == "lost":
        shutil.rmtree(one.folder)
        one.folder.mkdir()
    for record in records:
        one.deliver(record)

    after = store.everything()
    before["tags"].pop("runcast.cursor")
    after["tags"].pop("runcast.cursor")
    assert after == before


def test_death_after_every_record(life: Lives, store: Store) -> None:
    """A process that dies between delivery and acknowledgement, again and again, doubles nothing."""
    one, calm = life(), life(experiment="calm")
    for record in history(one):
        one.deliver(record, ack=False)
        one.deliver(record)
        one.backend = None
    calm.deliver(*history(calm))

    seen, expected = store.everything(), store.everything("calm")
    for files in (seen["files"], expected["files"]):
        # Kinds of lines may come in another order, where a batch was cut elsewhere.
        files["runcast/residual.jsonl"] = sorted(files["runcast/residual.jsonl"].splitlines())
    for part in ("params", "points", "files"):
        assert seen[part] == expected[part]
    ours = ("runcast.run_id", "runcast.cursor")
    assert {k: v for k, v in seen["tags"].items() if k not in ours} == {
        k: v for k, v in expected["tags"].items() if k not in ours
    }


def test_parts_of_a_record_after_a_crash(life: Lives, store: Store) -> None:
    """A record that comes in parts, with a crash between them, arrives whole."""
    one = life()
    first, second = one.numbered([metrics(0, a=1.0), metrics(1, a=2.0, b=3.0, c=4.0)])
    one.deliver(first)
    for part in split(second):
        one.deliver(part, ack=False)
    one.deliver(second)

    assert {key: len(store.points(key)) for key in "abc"} == {"a": 2, "b": 1, "c": 1}


def test_death_in_the_middle_of_a_batch(life: Lives, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch of several calls, the first got through: the rest follows, nothing twice."""
    from mlflow import MlflowClient

    one = life()
    records = one.numbered([metrics(step, a=1.0, b=2.0) for step in range(1200)])
    one.open()
    real, calls = MlflowClient.log_batch, []

    def fails_on_the_second(self: MlflowClient, *args: object, **kwargs: object) -> object:
        calls.append(kwargs)
        if len(calls) == 2:
            raise ConnectionError("the cable")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", fails_on_the_second)
    with pytest.raises(Exception, match="the cable"):
        one.deliver(*records)
    one.backend = None
    one.deliver(*records)

    assert len(store.points("a")) == len(store.points("b")) == 1200
    sent = sum(len(kwargs["metrics"]) for kwargs in calls[2:])
    assert sent < 2400 - 900  # the first call's points were not sent again
    assert all(len(kwargs["metrics"]) + len(kwargs["tags"]) <= 1000 for kwargs in calls)


def test_the_cursor_is_written_after_the_metrics(life: Lives, store: Store) -> None:
    """MLflow writes the tags of a call last: the cursor rests on that."""
    from mlflow.entities import Metric, RunTag
    from mlflow.exceptions import MlflowException

    life().open()
    run_id = store.run().info.run_id
    with pytest.raises(MlflowException):
        store.client.log_batch(run_id, metrics=[Metric("a", 1.0, 1, 2**63)], tags=[RunTag("mark", "1")])

    assert "mark" not in store.run().data.tags


def test_a_full_call_goes_without_the_cursor(
    life: Lives, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of exactly one call's points is one call; the cursor comes with the next."""
    from mlflow import MlflowClient

    one = life()
    one.open()
    real, calls = MlflowClient.log_batch, []

    def counts(self: MlflowClient, *args: object, **kwargs: object) -> object:
        calls.append(kwargs)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", counts)
    records = one.numbered([metrics(step, a=1.0) for step in range(1001)])
    one.deliver(*records[:1000])
    one.deliver(records[1000])

    assert [len(kwargs["metrics"]) for kwargs in calls] == [1000, 1]
    assert json.loads(store.run().data.tags["runcast.cursor"]) == {"w" * 16: [1001, 1002]}
    assert len(store.points("a")) == 1001


def test_edited_cursor(life: Lives, store: Store) -> None:
    """A cursor that somebody damaged costs time, not data."""
    one = life()
    records = one.numbered([metrics(step, a=1.0) for step in range(5)])
    one.deliver(*records, ack=False)
    store.client.set_tag(store.run().info.run_id, "runcast.cursor", '{"x": 3}')
    one.deliver(*records)

    assert len(store.points("a")) == 5


def test_many_writers() -> None:
    """The cursor stays within a tag however many processes wrote; the latest ones are in it."""
    cursor = Cursor()
    for number in range(1000):
        cursor = cursor.after([(f"{number:016x}", 2), (f"{number:016x}", 3)])

    assert len(cursor.text()) <= 8000
    reopened = Cursor(cursor.text())
    record = metrics(0, a=1.0)
    assert reopened.covers(msgspec.structs.replace(record, writer=f"{999:016x}", seq=2))
    assert not reopened.covers(msgspec.structs.replace(record, writer=f"{999:016x}", seq=3))
    assert reopened.doubts(f"{999:016x}", 3)
    assert not reopened.covers(msgspec.structs.replace(record, writer=f"{0:016x}", seq=2))


def test_reject_changes_nothing(life: Lives, store: Store) -> None:
    """A refused batch leaves no trace in the state, and its good parts go through afterwards."""
    one = life()
    good, bad = one.numbered([metrics(0, a=1.0, at=START), metrics(2**63, at=START, b=1.0)])
    one.open()
    state = json.dumps(one.state)
    with pytest.raises(Reject):
        one.deliver(good, bad)
    assert json.dumps(one._run.state) == state
    one.deliver(good)

    assert set(store.run().data.metrics) == {"a"}


def test_another_process_set_the_param(life: Lives, store: Store) -> None:
    """A param that appeared behind our back is no reason to lose ours: planned anew, it is a conflict."""
    one = life()
    one.open()
    store.client.log_param(store.run().info.run_id, "lr", "9")
    with pytest.raises(Retry):
        one.deliver(Params(time=START, values={"lr": 1}))
    one.backend = None
    one.deliver(Params(time=START, values={"lr": 1}))

    assert store.run().data.tags["runcast.param.lr"] == "1"
