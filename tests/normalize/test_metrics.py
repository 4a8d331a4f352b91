"""Whatever a script logs becomes plain values, or a problem that says what to do."""

from __future__ import annotations

import enum
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from runcast import codec
from runcast.normalize import Problem, flatten, metrics, params, step, tags
from runcast.records import Params

from .zoo import (
    ZOO,
    Colour,
    NoFloat,
    Point,
    _cyclic,
    _deep,
)


@pytest.mark.fault(
    "F23",
    how="every odd value there is, and objects whose methods raise",
    outcome="no call raises; what cannot be kept is named",
)
@pytest.mark.parametrize("number", range(len(ZOO)))
def test_no_value_raises(number: int) -> None:
    """Any object, as a value, in a list or in place of the mapping, gives values or problems."""
    value = ZOO[number]  # by number, because pytest itself stumbles over some
    for given_ in (
        {"k": value, "good": 1.5},
        {"a": {"k": value}, "good": 1.5},
        {"k": [value], "good": 1.5},
        value,
    ):
        numbers, _media, problems = metrics(given_, lambda item: type(item) is Point)
        assert all(type(item) in (bool, int, float) for item in numbers.values())
        assert all(type(problem.key) is str and problem.reason for problem in problems)
        settings, problems = params(given_)
        codec.encode(Params(time=0, values=settings))  # what comes out can be written down
        assert all(len(problem.detail) < 200 for problem in problems)
        assert isinstance(flatten(given_)[0], dict)
        if given_ is not value:
            assert settings["good"] == 1.5
            assert numbers["good"] == 1.5
    labels, _ = tags(value)
    assert all(type(text) is str for pair in labels.items() for text in pair)
    assert isinstance(step(value), (int, Problem))


def test_plain_metrics_are_not_copied() -> None:
    """The common case costs nothing: the script's own dict comes back."""
    values = {"loss": 0.5, "ok": True, "n": 2**70, "nan": math.nan}

    assert metrics(values)[0] is values


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(0.1), 0.1),
        (np.float32(0.1), float(np.float32(0.1))),
        (np.float16(0.1), float(np.float16(0.1))),
        (np.longdouble(0.5), 0.5),
        (np.int64(-(2**63)), -(2**63)),
        (np.uint64(2**64 - 1), 2**64 - 1),
        (np.bool_(True), True),
        (np.array(1.5), 1.5),
        (np.array([[7]]), 7),
        (np.ma.array([3.0]), 3.0),
        (torch.tensor(0.25), 0.25),
        (torch.tensor([3]), 3),
        (torch.tensor(True), True),
        (torch.tensor(1.5, dtype=torch.bfloat16, requires_grad=True), 1.5),
        (Decimal("0.1"), 0.1),
        (Fraction(1, 4), 0.25),
        (Colour.BLUE.value, 2),
        (enum.IntEnum("E", "A").A, 1),  # type: ignore[attr-defined]  # made on the fly
        (2**70, 2**70),
    ],
)
def test_numbers_of_every_library(value: Any, expected: Any) -> None:
    """A number comes out as Python's own, exactly, of the matching type; twice, since classes are learned."""
    for _ in range(2):
        numbers, _media, problems = metrics({"k": value})

        assert not problems
        assert numbers["k"] == expected
        assert type(numbers["k"]) is type(expected)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1.5", "runcast.Text"),
        (None, "leave it out"),
        (1j, "real and imaginary"),
        (np.complex64(1j), "real and imaginary"),
        (np.array([1.0, 2.0]), "shape (2,)"),
        (torch.zeros(3, 2), "shape (3, 2)"),
        ([1, 2], "2 values"),
        (np.datetime64("2020-01-01"), "seconds"),
        (np.timedelta64(1, "s"), "seconds"),
        (np.ma.masked, "masked"),
        (Decimal("1e400"), "too large"),
        (Fraction(10**400), "OverflowError"),
        (NoFloat(), "RuntimeError"),
        (object(), "object is no number"),
        ({}, "no number"),
    ],
)
def test_what_is_no_number_is_named(value: Any, words: str) -> None:
    """The problem names the key and what to do; the other values are kept."""
    numbers, _media, problems = metrics({"bad": value, "good": 1})

    assert dict(numbers) == {"good": 1}
    assert [problem.key for problem in problems] == ["bad"]
    assert words in problems[0].reason


def test_media_come_back_untouched() -> None:
    """Values that the caller calls media are handed back, nested ones under their flat name."""
    picture = Point(1, 2)

    numbers, media, problems = metrics({"a": {"img": picture, "x": 1}}, lambda value: type(value) is Point)

    assert numbers == {"a/x": 1}
    assert media == {"a/img": picture}
    assert media["a/img"] is picture
    assert not problems


def test_nested_metrics_are_flattened() -> None:
    """Keys of any type are joined with a slash."""
    numbers, _media, problems = metrics(
        {"train": {"loss": 1.0, 0: 2.0}, Colour.RED: 3, None: {Colour.BLUE: 4}}
    )

    assert numbers == {"train/loss": 1.0, "train/0": 2.0, "red": 3, "None/BLUE": 4}
    assert not problems


def test_names_that_meet() -> None:
    """Two spellings of one name: equal values pass, different ones are a problem that names both."""
    assert metrics({"a": {"b": 1}, "a/b": 1}) == ({"a/b": 1}, {}, [])

    numbers, _media, problems = metrics({"a": {"b": 1}, "a/b": 2})

    assert numbers == {"a/b": 1}
    assert "['a']['b'] and ['a/b']" in problems[0].reason


def test_cycles_and_depth() -> None:
    """A mapping inside itself and a very deep one are named; what is beside them stays."""
    values, problems = flatten(_cyclic())
    assert values == {"lr": 1}
    assert [problem.key for problem in problems] == ["inner/up"]
    assert "contains itself" in problems[0].reason

    numbers, _media, problems = metrics({**_deep(40), "x": 1})
    assert numbers == {"x": 1}
    assert "32 levels" in problems[0].reason

    shared = {"a": 1}
    assert metrics({"x": shared, "y": shared})[0] == {"x/a": 1, "y/a": 1}
