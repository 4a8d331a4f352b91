"""Hypothesis strategies for what a run may say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from runcast.records import Metrics, Note, Params, Tags
from runcast.testing import hostile
from runcast.testing.golden import Story

_PLAIN = ("loss", "val/acc", "a b", "x.y", "lr", "épochs", "_under", "0")


def names() -> st.SearchStrategy[str]:
    """Names: mostly plain, some hostile, some of any characters at all."""
    return st.one_of(
        st.sampled_from(_PLAIN),
        st.sampled_from(_PLAIN),
        st.sampled_from(hostile.NAMES),
        st.text(max_size=12),
    )


def numbers() -> st.SearchStrategy[bool | int | float]:
    """Values of metrics."""
    return st.one_of(
        st.floats(width=32),
        st.floats(),
        st.integers(-(2**70), 2**70),
        st.booleans(),
        st.sampled_from(hostile.NUMBERS),
    )


def settings() -> st.SearchStrategy[Any]:
    """Values of params: JSON-like, NaN and the infinities included."""
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20)
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )


def steps() -> st.SearchStrategy[int]:
    """Steps: small ones that grow, repeat and go back, and any int64."""
    return st.one_of(st.integers(0, 20), st.integers(0, 20), st.integers(-(2**63), 2**63 - 1))


Sentence = Callable[[Story], Any]
"""Adds one record to a story."""


def sentences() -> st.SearchStrategy[Sentence]:
    """One record of any kind that a script can say between its start and its end."""
    return st.one_of(_metrics(), _metrics(), _metrics(), _params(), _tags(), _note(), _text(), _artifact())


def stories(max_size: int = 12) -> st.SearchStrategy[Story]:
    """Whole runs: a start, up to `max_size` records, an end."""
    endings = st.sampled_from(("finished", "failed", "killed"))

    def tell(said: list[Sentence], status: str) -> Story:
        story = Story().start()
        for sentence in said:
            sentence(story)
        return story.finish(status)

    return st.builds(tell, st.lists(sentences(), max_size=max_size), endings)


def _metrics() -> st.SearchStrategy[Sentence]:
    def make(step: int, values: dict[str, Any]) -> Sentence:
        return lambda story: story.say(Metrics, step=step, values=values)

    return st.builds(make, steps(), st.dictionaries(names(), numbers(), min_size=1, max_size=4))


def _params() -> st.SearchStrategy[Sentence]:
    def make(values: dict[str, Any]) -> Sentence:
        return lambda story: story.say(Params, values=values)

    return st.builds(make, st.dictionaries(names(), settings(), min_size=1, max_size=3))


def _tags() -> st.SearchStrategy[Sentence]:
    def make(values: dict[str, str]) -> Sentence:
        return lambda story: story.say(Tags, values=values)

    return st.builds(make, st.dictionaries(names(), st.text(max_size=20), min_size=1, max_size=3))


def _note() -> st.SearchStrategy[Sentence]:
    return st.builds(lambda text: lambda story: story.say(Note, text=text), st.text(max_size=40))


def _text() -> st.SearchStrategy[Sentence]:
    def make(key: str, step: int, text: str) -> Sentence:
        # A tracker may keep texts and numbers in one namespace; the facade's users keep them apart.
        return lambda story: story.text(f"texts/{key}", step, text)

    return st.builds(make, names(), steps(), st.text(max_size=40))


def _artifact() -> st.SearchStrategy[Sentence]:
    def make(name: str, paths: dict[str, bytes]) -> Sentence:
        return lambda story: story.artifact(name, paths)

    files = st.dictionaries(st.sampled_from(hostile.PATHS), st.binary(max_size=20), min_size=1, max_size=3)
    return st.builds(make, st.sampled_from(("model", "data", "a b", "é")), files)
