"""How a run of several processes ends, and that the document keeps everything."""

import math
from typing import Any

import pytest

from runcast.backends.tensorboard.facts import Facts
from runcast.records import Params, RunFinished, RunStarted, Status

A, B, C = "a" * 16, "b" * 16, "c" * 16


def started(writer: str, time: int = 1, resumed: bool = False) -> RunStarted:
    """A process begins."""
    return RunStarted(time=time, writer=writer, run="r", experiment="e", name="n", resumed=resumed)


def finished(writer: str, status: Status, time: int, **more: Any) -> RunFinished:
    """A process ends."""
    return RunFinished(time=time, writer=writer, status=status, **more)


def test_a_run_ends_with_its_last_process() -> None:
    """As badly as the worst of them, whichever was the last."""
    facts = Facts.of("r", started(A))
    facts.begin(started(B))
    facts.finish(finished(A, "failed", 5, error="ValueError: x"))
    assert (facts.status, facts.end) == ("running", None)
    facts.finish(finished(B, "finished", 4))

    assert (facts.status, facts.end, facts.error) == ("failed", 4, "ValueError: x")


def test_a_resumed_run_ends_as_its_last_process() -> None:
    """A crash before it does not count any more."""
    facts = Facts.of("r", started(A))
    facts.finish(finished(C, "crashed", 5, of=A))
    assert (facts.status, facts.end) == ("crashed", 5)
    facts.begin(started(B, 6, resumed=True))
    assert (facts.status, facts.end) == ("running", None)
    facts.finish(finished(B, "finished", 9))

    assert (facts.status, facts.end, facts.error) == ("finished", 9, None)


def test_a_late_word_about_a_replaced_process_is_ignored() -> None:
    """The courier may find a dead process only after the run was resumed."""
    facts = Facts.of("r", started(A))
    facts.begin(started(B, 6, resumed=True))
    facts.finish(finished(C, "crashed", 7, of=A))

    assert facts.status == "running"


def test_a_process_that_was_never_announced_can_end_a_run() -> None:
    """Where no other is running."""
    facts = Facts.of("r", started(A))
    facts.finish(finished(A, "finished", 5))
    facts.finish(finished(B, "killed", 6))

    assert (facts.status, facts.end) == ("killed", 6)


def test_the_document_keeps_every_value() -> None:
    """Types, surrogates, NaN and reserved keys."""
    facts = Facts.of("r", started(A))
    facts.add_params(
        Params(time=1, values={"\ud800": "\udfff", "$float": 1 << 70, "n": [None, {"$x": -math.inf}]})
    )
    facts.note, facts.tags = "\0", {"": ""}

    assert Facts.decode(facts.encode()) == facts


def test_a_copy_stands_alone() -> None:
    """A refused batch leaves the facts it began with."""
    facts = Facts.of("r", started(A))
    before = facts.encode()
    copy = facts.copy()
    copy.begin(started(B))
    copy.add_params(Params(time=1, values={"a": 1}))

    assert facts.encode() == before != copy.encode()


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"run": 1}', b"\xff"])
def test_a_damaged_document_is_refused(damaged: bytes) -> None:
    """With the one error that the backend expects."""
    with pytest.raises(ValueError):  # noqa: PT011  # the texts are those of three decoders
        Facts.decode(damaged)
