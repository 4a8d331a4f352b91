"""Crashes, redelivery and lost memory: the file is always the one of a run that nothing happened to."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_delivery import START, Delivery, finished, metrics

from runcast.errors import Halt, Retry
from runcast.formats import wandb_log
from runcast.journal import Blobs
from runcast.plugins.source import Selection
from runcast.records import Media, Metrics, Note, Params, Record, RunFinished, Tags
from runcast.sources.wandb import WandbSource

Make = Callable[[], Delivery]


def story(delivery: Delivery) -> list[Record]:
    """A run with something of everything, open rows and a step that goes back included."""
    return [
        delivery.started,
        Params(time=START, values={"lr": 0.1, "_odd": 1, "opt": {"a": 1}}),
        metrics(0, 1, loss=1.0, nan=float("nan")),
        metrics(0, 2, val__loss=2.0),
        Tags(time=START, values={"k": "v"}),
        metrics(1, 3, loss=0.5),
        metrics(0, 4, loss=0.25),
        Note(time=START, text="n" * 40_000),
        Params(time=START, values={"opt": {"b": 2}}),
        Media(time=START, key="t", step=1, type="text", text="x" * 120_000),
        metrics(2, 5, loss=0.1),
        finished(),
    ]


@pytest.mark.fault(
    "F25",
    how="a crash after every record, and redelivery",
    outcome="W&B's log is the same bytes",
)
def test_a_crash_at_every_point(make_delivery: Make) -> None:
    """Dropped after any record, delivered or not yet noted as such, and sent again: the same bytes."""
    straight = make_delivery()
    straight.deliver(story(straight))
    expected = straight.log.read_bytes()
    for at in range(len(story(straight))):
        broken = make_delivery()
        records = story(broken)
        broken.deliver(records[:at])
        backend = broken.open()
        backend.deliver(records[at : at + 3])  # written, but the state was not saved
        broken.deliver(records[at:])
        assert broken.log.read_bytes() == expected


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, 11)))
def test_batches_do_not_matter(make_delivery: Make, cuts: set[int]) -> None:
    """However the records are cut into batches, the file is the same."""
    one, many = make_delivery(), make_delivery()
    one.deliver(story(one))
    edges = [0, *sorted(cuts), 12]
    records = story(many)
    many.deliver(*(records[a:b] for a, b in itertools.pairwise(edges)))
    assert many.log.read_bytes() == one.log.read_bytes()


def test_lost_memory(delivery: Delivery) -> None:
    """With the state gone the run is written again into the same folder, and its file is not even touched."""
    delivery.deliver(story(delivery))
    before = delivery.log.read_bytes(), delivery.log.stat().st_mtime_ns
    delivery.state = {}
    delivery.deliver(story(delivery))
    assert (delivery.log.read_bytes(), delivery.log.stat().st_mtime_ns) == before


def test_torn_tail(make_delivery: Make) -> None:
    """Bytes behind what was acknowledged, whole or torn, are replaced by what comes again."""
    straight = make_delivery()
    straight.deliver(story(straight))
    expected = straight.log.read_bytes()
    for junk in (b"\0" * 50_000, expected[:300], b"\xff"):
        broken = make_delivery()
        records = story(broken)
        broken.deliver(records[:6])
        with broken.log.open("ab") as stream:
            stream.write(junk)
        broken.deliver(records[6:])
        assert broken.log.read_bytes() == expected


def test_a_run_that_goes_on_after_its_end(make_delivery: Make) -> None:
    """A resumed run has one folder, one end, and the rows of both parts: as if it had never stopped."""
    resumed, straight = make_delivery(), make_delivery()
    first, second = metrics(0, 1, loss=1.0), metrics(0, 2, val=2.0)
    resumed.deliver([resumed.started, first, finished("crashed")])
    resumed.deliver([resumed.started, second, finished(seconds=90)])
    straight.deliver([straight.started, first, second, finished(seconds=90)])
    assert resumed.log.read_bytes() == straight.log.read_bytes()
    assert [row["_step"] for row in resumed.rows()] == [0]
    assert resumed.overview()["state"] == "finished"


def test_a_crash_while_a_run_goes_on_after_its_end(make_delivery: Make) -> None:
    """The old end was cut off and the new batch not acknowledged: sent again, it gives the same file."""
    broken, straight = make_delivery(), make_delivery()
    parts = [[metrics(0, 1, loss=1.0), finished()], [metrics(1, 2, loss=2.0)], [finished(seconds=90)]]
    broken.deliver(parts[0])
    broken.open().deliver(parts[1])
    broken.deliver(parts[1], parts[2])
    straight.deliver(*parts)
    assert broken.log.read_bytes() == straight.log.read_bytes()


def test_a_crash_behind_an_end_that_was_long(make_delivery: Make) -> None:
    """What was written in place of the old end is shorter than that was: the run goes on all the same."""
    broken, straight = make_delivery(), make_delivery()
    first = [metrics(0, 1, **{f"m{number}": 1.0 for number in range(50)}), finished()]
    for delivery in (broken, straight):
        delivery.deliver(first)
    then: list[Record] = [broken.started, Params(time=START, values={"lr": 0.1})]
    ended = broken.log.read_bytes()
    broken.open().deliver(then)
    assert broken.log.stat().st_size < len(ended)
    broken.deliver()  # a start, before anything comes again
    assert broken.log.read_bytes() == ended
    for delivery in (broken, straight):
        delivery.deliver(then, [finished(seconds=90)])
    assert broken.log.read_bytes() == straight.log.read_bytes()


def test_what_is_said_between_two_ends_keeps_its_place(delivery: Delivery) -> None:
    """An end closes a row, and going on opens the same one again: notes come back where they were said."""
    said: list[Record] = [delivery.started]
    for step in range(3):
        said += [metrics(step, step, loss=1.0), finished(), Note(time=START, text=f"after {step}")]
    delivery.deliver(said, [finished()])
    source = WandbSource(str(delivery.home / "wandb"))
    [run] = source.runs(Selection())
    read = source.read(run, Blobs(delivery.home / "read"))
    order = [r.text if isinstance(r, Note) else r.step for r in read if isinstance(r, (Note, Metrics))]
    assert order == [0, "after 0", 1, "after 1", 2, "after 2"]


def test_the_last_of_several_ends_counts(delivery: Delivery) -> None:
    """Several writers each say that they are done: there is one exit record, the last one's."""
    delivery.deliver(
        [metrics(0, loss=1.0), finished(), RunFinished(time=START, status="failed", of="cd" * 8)]
    )
    delivery.deliver([finished("killed")])
    exits = [record["exit"] for record in delivery.inspect() if record["type"] == "exit"]
    assert exits == [{"exit_code": 255, "runtime": 60}]


def test_an_odd_answer_is_not_the_records_fault(delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong with the server behind the file has the delivery begin anew: no row comes twice."""

    def odd(self: object) -> None:
        raise KeyError("orgEntity")

    said = [delivery.started, metrics(0, loss=1.0), metrics(1, loss=2.0), finished()]
    with monkeypatch.context() as patch:
        patch.setattr("runcast.backends.wandb.backend.WandbBackend._carry", odd)
        backend = delivery.open()
        patch.setattr(backend, "_online", True)
        with pytest.raises(Retry, match=r"answers what it should not: KeyError.*orgEntity"):
            backend.deliver(said)
        backend.close()
    delivery.deliver(said)
    assert [row["_step"] for row in delivery.rows()] == [0, 1]


def test_someone_elses_file_is_left_alone(delivery: Delivery) -> None:
    """A folder of the same id that W&B's own client wrote is refused by name, and not changed."""
    folder = delivery.home / "wandb" / "offline-run-20200101_000000-0123abcd4567ef89"
    folder.mkdir(parents=True)
    theirs = wandb_log.append(wandb_log.Header(producer="0.31.0"), 1, 0)
    (folder / "run-0123abcd4567ef89.wandb").write_bytes(theirs)
    with pytest.raises(Halt, match=r"written by 0\.31\.0"):
        delivery.open()
    assert delivery.log.read_bytes() == theirs


def test_a_file_that_is_gone_or_cut(delivery: Delivery) -> None:
    """A file that lost acknowledged records halts the delivery and is named; nothing is invented."""
    delivery.deliver([delivery.started, metrics(0, loss=1.0), metrics(1, loss=1.0)])
    os.truncate(delivery.log, delivery.state["bytes"] - 1)
    with pytest.raises(Halt, match="shorter"):
        delivery.open()
    delivery.log.unlink()
    with pytest.raises(Halt, match="is gone"):
        delivery.open()


def test_a_folder_that_cannot_be_made(delivery: Delivery) -> None:
    """A file where the folder should go is named, with the option that mends it."""
    (delivery.home / "blocked").write_text("")
    delivery.options["dir"] = "blocked"
    with pytest.raises(Halt, match=r"blocked.*set another `dir`"):
        delivery.open()
