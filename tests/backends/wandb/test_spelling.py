"""Names made legal: always, without two meeting, and so that they can be turned back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runcast.backends.wandb import spelling
from runcast.names import unescape

odd = st.text(st.sampled_from("_runcast/ax5f0e\0\ud800 ."), max_size=12) | st.text(max_size=30)


@given(odd)
def test_keys_are_legal_and_turn_back(name: str) -> None:
    """A key can be written, is not one that W&B or runcast keeps for itself, and gives back its name."""
    legal = spelling.key(name)
    legal.encode()
    assert legal
    assert not legal.startswith(("_", "runcast/step/", "runcast/lost"))
    own = legal.removeprefix("runcast/") if legal.startswith("runcast/") else legal
    assert unescape(own) == name


@given(odd, odd)
def test_two_names_never_meet(one: str, other: str) -> None:
    """Different names have different keys."""
    assert (one == other) == (spelling.key(one) == spelling.key(other))


@given(odd)
def test_artifacts_projects_and_runs(name: str) -> None:
    """Their names hold nothing that W&B refuses."""
    assert not set(spelling.artifact(name)) - set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
    )
    assert not set(spelling.project(name)) & set("/\\#?%:")
    assert not set(spelling.run_id(name)) & set(":;,#?/' ")


@given(odd, odd)
def test_tags_have_1_to_64_characters(name: str, value: str) -> None:
    """A tag fits, or there is none."""
    tag = spelling.tag(name, value)
    assert tag is None or 1 <= len(tag) <= 64


scalars = st.one_of(st.floats(), st.booleans(), st.integers(-(2**65), 2**65))


@given(st.lists(scalars, max_size=9))
def test_numbers_spelled_together_are_those_spelled_one_by_one(values: list[bool | int | float]) -> None:
    """The same texts, each of which gives back its number to the bit; None where one loses something."""
    texts = spelling.numbers(list(values))
    alone = [spelling.number(value) for value in values]
    if texts is None:
        assert any(loss for _, loss in alone)
        return
    assert [text.decode() for text in texts] == [text for text, _ in alone]
    assert [repr(json.loads(text)) for text in texts] == [repr(value) for value in values]


@given(st.lists(scalars, max_size=9))
def test_whole_floats_are_found_among_other_numbers(values: list[bool | int | float]) -> None:
    """All floats that another JSON writer would write as an integer, and nothing else."""
    texts = spelling.numbers(list(values)) or []
    wholes = [at for at in range(len(texts)) if isinstance(values[at], float) and values[at] % 1 == 0]
    assert spelling.wholes(texts) == wholes
