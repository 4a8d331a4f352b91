"""Crashes at any moment, lost state, damaged and missing files: no doubles, and no silent loss."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcast.backends.tensorboard import files
from runcast.errors import Halt, Retry
from runcast.records import (
    Define,
    Environment,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    System,
    Tags,
    Trace,
)  # fmt: skip

Make = Callable[..., Any]
T = 1_700_000_000_123_456_789
WRITER = "a" * 16


def story() -> list[Record]:
    """A run with a record of every kind that leaves bytes."""
    said: list[Record] = [
        Define(time=T, key="l*", goal="minimize"),
        Define(time=T, key="n", summary=["mean"]),
    ]
    for i in range(6):
        said.append(Metrics(time=T + i, step=i, values={"loss": 1 / (i + 1), "n": i, "s\ud800": True}))
        said.append(Params(time=T + i, values={f"p{i}": i, "last": i}))
        said.append(Tags(time=T + i, values={f"t{i}": "x", "last": str(i)}))
        said.append(Media(time=T + i, key="text", step=i, type="text", text=f"line {i}"))
        said.append(Lost(time=T + i, key="k", reason="no number"))
        said.append(System(time=T + i, values={"cpu": i / 3}))
        said.append(Trace(time=T + i, id=f"{i:032x}", spans=[]))
        said.append(Environment(time=T + i, values={"python": str(i)}))
        data = {"edges": [0.0, 1.0], "counts": [i]}
        said.append(Media(time=T + i, key="h", step=i, type="histogram", data=data, caption="of weights"))
    said += [
        Note(time=T, text="the end"),
        RunFinished(time=T + 9, writer=WRITER, status="failed", error="E: x"),
    ]
    return said


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expected(make: Make, records: list[Record]) -> dict[str, bytes]:
    """What an undisturbed delivery in one batch leaves."""
    run = make(experiment="undisturbed")
    run.deliver(*records)
    run.close()
    return contents(run.path)


def plain(contents: dict[str, bytes]) -> dict[str, bytes]:
    """Contents without what the experiment's name alone makes different."""
    out = {name: data for name, data in contents.items() if ".hparams." not in name}
    document = json.loads(out.pop("runcast.json"))
    return out | {"runcast.json": json.dumps(document | {"experiment": ""}).encode()}


@pytest.mark.fault(
    "F25",
    how="crashes and redelivery in any order (hypothesis)",
    outcome="TensorBoard's files are the same bytes",
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_interleaving_of_crashes_leaves_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, delivery: Make, data: st.DataObject
) -> None:
    """Batches of any size; after any of them the process may die before or after its state was saved."""
    records = story()
    name = f"run {data.draw(st.uuids())}"
    run = delivery(name=name, run=name, experiment="disturbed")
    at = deaths = 0
    while at < len(records):
        size = data.draw(st.integers(1, len(records)))
        fates = ["goes on", "dies saved", "dies unsaved", "loses its state"] if deaths < 5 else ["goes on"]
        fate = data.draw(st.sampled_from(fates))
        run.deliver(*records[at : at + size], save=fate != "dies unsaved")
        at += size if fate != "dies unsaved" else 0
        if fate == "loses its state":
            run.state, at = "{}", 0
        if fate != "goes on":
            deaths += 1
            run.open()  # without a close: the process is gone

    assert [(t, s, k) for t, s, k, _ in run.points()] == [
        (T + i, i, k) for i in range(6) for k in ("loss", "n", "s_xd800_", "~system/cpu")
    ]
    undisturbed = delivery(name=name, run=name + "u", experiment="undisturbed")
    undisturbed.deliver(*records)
    mine, theirs = contents(run.path), contents(undisturbed.path)
    assert mine[run.events_file.name] == theirs[undisturbed.events_file.name]
    ours, other = run.document(), undisturbed.document()
    for document in (ours, other):
        for key in ("run", "experiment", "name", "events"):
            del document[key]
    assert ours == other


def test_what_was_written_and_not_acknowledged_is_not_doubled(delivery: Make) -> None:
    """Killed between the write and the save of the state."""
    run = delivery()
    run.deliver(Metrics(time=T, step=0, values={"a": 0.1}))
    saved = run.events_file.read_bytes()
    second = [
        Metrics(time=T, step=1, values={"a": 0.2}),
        Tags(time=T, values={"x": "y"}),
        Lost(time=T, key="k", reason="r"),
    ]
    run.deliver(*second, save=False)
    written = contents(run.path)
    run.open()
    assert run.events_file.read_bytes() == saved
    run.deliver(*second)

    assert contents(run.path) == written
    assert run.document()["lost"] == {"k": {"r": 1}}


def test_a_torn_write_is_mended(delivery: Make) -> None:
    """The disk filled up, or the process died, in the middle of an event."""
    run = delivery()
    run.deliver(Metrics(time=T, step=0, values={"a": 0.1}))
    with run.events_file.open("ab") as file:
        file.write(b"half an event" * 20)
    run.open()
    run.deliver(Metrics(time=T, step=1, values={"a": 0.2}))

    assert [step for _, step, _, _ in run.points()] == [0, 1]


def test_a_lost_state_writes_the_same_run_again(delivery: Make) -> None:
    """In the same folder, with the same bytes."""
    run = delivery()
    run.deliver(*story())
    before = contents(run.path)
    run.state = "{}"
    run.open()
    run.deliver(*story())

    assert contents(run.path) == before
    assert run.ref.id == "digits/sgd"


def test_batches_do_not_matter(delivery: Make) -> None:
    """One record at a time leaves the bytes of one batch."""
    run = delivery(experiment="e1")
    for record in story():
        run.deliver(record)

    assert plain(contents(run.path)) == plain(expected(delivery, story()))


@pytest.mark.parametrize("keep", [0, 30, 45, 100, 10_000])
def test_acknowledged_bytes_that_are_gone_are_reported(delivery: Make, keep: int) -> None:
    """After a power failure: what is left stays readable, the hole is counted, delivery goes on."""
    run = delivery()
    run.deliver(*(Metrics(time=T, step=i, values={"a": i / 3}) for i in range(10)))
    whole = run.events_file.read_bytes()
    run.events_file.write_bytes(whole[:keep])
    run.open()
    changes = run.deliver(Metrics(time=T, step=10, values={"a": 0.5}))

    steps = [step for _, step, _, _ in run.points()]
    assert steps == [*range(len(steps) - 1), 10]
    lost = keep < len(whole)
    assert [change.what for change in changes] == ["degraded"] * lost
    assert (run.document()["missing_bytes"] > 0) == lost
    missing = run.document()["missing_bytes"]
    run.close()
    run.open()
    assert run.document()["missing_bytes"] == missing


def test_a_removed_folder_is_made_again(delivery: Make) -> None:
    """Somebody cleaned up while the run went on: the loss is reported, the facts are all there."""
    run = delivery()
    run.deliver(Params(time=T, values={"lr": 0.1}), Metrics(time=T, step=0, values={"a": 0.1}))
    for path in run.path.iterdir():
        path.unlink()
    run.path.rmdir()
    other = delivery(run="run-2")
    run.open()
    changes = run.deliver(Metrics(time=T, step=1, values={"a": 0.2}))

    assert [change.what for change in changes] == ["degraded"]
    assert [step for _, step, _, _ in run.points()] == [1]
    assert run.document()["params"] == {"lr": 0.1}
    assert (run.path != other.path, other.document()["run"]) == (True, "run-2")


def test_unreadable_facts_stop_the_backend(delivery: Make) -> None:
    """Rather than forget params in silence; the message names the file and the mend."""
    run = delivery()
    run.deliver(Params(time=T, values={"lr": 0.1}))
    run.close()
    for path in run.folder.iterdir():
        path.write_text("{")

    with pytest.raises(Halt, match=r"facts-2\.json cannot be read.*restore it"):
        run.open()
    run.backend = None


def test_a_full_disk_is_tried_again(delivery: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part that was written is not doubled."""
    run = delivery()
    point = Metrics(time=T, step=0, values={"a": 0.1})
    real = files.write_all

    def half(descriptor: int, data: bytes) -> None:
        real(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_all", half)
        with pytest.raises(Retry, match="No space left on device; free space"):
            run.deliver(point)
    run.open()
    run.deliver(point)

    assert run.points() == [(T, 0, "a", 0.1)]


def test_a_folder_without_permission_halts(delivery: Make, tmp_path: Path) -> None:
    """A file stands where the logdir should be: nothing that waiting would mend."""
    (tmp_path / "runs").write_text("in the way")

    with pytest.raises(Halt, match=r"cannot write to .*runs.*logdir"):
        delivery()
