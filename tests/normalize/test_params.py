"""Params, tags and steps, from whatever a script hands over."""

from __future__ import annotations

import argparse
import datetime
import enum
import functools
import math
import uuid
from collections import deque
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import attrs
import msgspec
import numpy as np
import pydantic
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from runcast.normalize import Problem, metrics, params, step, tags

from .zoo import (
    Colour,
    Model,
    Point,
    _cyclic_list,
    _deep,
)


class Pydantic(pydantic.BaseModel):
    """Settings with a secret."""

    lr: float = 0.1
    key: pydantic.SecretStr = pydantic.SecretStr("hunter2")


class Struct(msgspec.Struct):
    """Settings of msgspec."""

    lr: float = 0.1


@attrs.define
class Attrs:
    """Settings of attrs."""

    lr: float = 0.1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"lr": 0.1}, {"lr": 0.1}),
        (Model(), {"dim": 3, "kind": "red", "path": "a/b"}),
        (argparse.Namespace(lr=0.1), {"lr": 0.1}),
        (SimpleNamespace(lr=0.1), {"lr": 0.1}),
        (Struct(), {"lr": 0.1}),
        (Attrs(), {"lr": 0.1}),
        (Pydantic(), {"lr": 0.1, "key": "**********"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (MappingProxyType({"lr": 0.1}), {"lr": 0.1}),
    ],
)
def test_settings_objects(value: Any, expected: Any) -> None:
    """Every usual way to hold settings is flattened, at the top and below; a SecretStr stays hidden."""
    assert params(value) == (expected, [])
    assert params({"cfg": value}) == ({f"cfg/{key}": item for key, item in expected.items()}, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("x" * 10_000_000, "x" * 10_000_000),
        ((1, (2, 3)), [1, [2, 3]]),
        ({3, 1, 2}, [1, 2, 3]),
        (deque([1]), [1]),
        ([{"a": {"b": (1,)}, 2: None}], [{"a": {"b": [1]}, "2": None}]),
        ([Model()], [{"dim": 3, "kind": "red", "path": "a/b"}]),
        ({}, {}),
        (Colour.BLUE, 2),
        (Path("/a"), "/a"),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (torch.float32, "torch.float32"),
        (np.float32, "numpy.float32"),
        (int, "int"),
        (math.sqrt, "math.sqrt"),
        (Decimal("0.10"), "0.10"),
        (1j, "1j"),
        (range(3), "range(0, 3)"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.str_("x"), "x"),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (torch.tensor([0.5]), [0.5]),
        (enum.IntFlag("F", "A B")(3), 3),
    ],
    ids=range(26),
)
def test_params_keep_their_types(value: Any, expected: Any) -> None:
    """What JSON has keeps its type; the rest becomes its plainest form."""
    values, problems = params({"k": value})

    assert values == {"k": expected}
    assert type(values["k"]) is type(expected)
    assert not problems


def test_params_that_are_only_described() -> None:
    """Large arrays and cycles are said to be described; bytes and functions get a stable text."""
    values, problems = params(
        {"big": np.zeros((100, 100)), "loop": _cyclic_list(), "raw": b"abc", "f": _deep}
    )

    assert values["big"] == "<numpy.ndarray float64 (100, 100)>"
    assert values["loop"] == [1, "<cycle>"]
    assert values["raw"] == "<3 bytes, sha256 ba7816bf8f01cfea>"
    assert values["f"].endswith("._deep")
    assert [(problem.key, "artifact" in problem.reason) for problem in problems] == [
        ("big", True),
        ("loop", False),
    ]


def test_text_of_a_partial_is_kept() -> None:
    """Anything else is its own text."""
    assert params({"k": functools.partial(int, base=2)})[0]["k"].startswith("functools.partial(")


def test_problems_hide_secrets() -> None:
    """The short look at a value that could not be kept shows no password."""
    _numbers, _media, problems = metrics({"k": "https://u:hunter2@h"})

    assert "hunter2" not in repr(problems)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("best", {"best": ""}),
        (["best", "v1", Colour.RED], {"best": "", "v1": "", "red": ""}),
        ({"task": "x", "n": 3, "on": True, "none": None}, {"task": "x", "n": "3", "on": "True", "none": ""}),
        ({"a": {"b": 1}}, {"a/b": "1"}),
        (None, {}),
    ],
)
def test_tags(given_: Any, expected: dict[str, str]) -> None:
    """One name, a list of names, or names with values."""
    assert tags(given_) == (expected, [])


def test_tags_of_another_kind() -> None:
    """A number is no tag, and the message says what is."""
    assert "not int" in tags(3)[1][0].reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (3.0, 3),
        (np.int32(3), 3),
        (np.float32(4.0), 4),
        (torch.tensor(5), 5),
        (Decimal(6), 6),
    ],
)
def test_steps(value: Any, expected: int) -> None:
    """Whole numbers of every library are steps."""
    assert step(value) == expected
    assert type(step(value)) is int


@pytest.mark.parametrize(
    "value", [True, np.True_, None, 1.5, math.nan, math.inf, 2**63, -(2**63) - 1, "3", 1e300, [1]]
)
def test_what_is_no_step(value: Any) -> None:
    """Anything else is a problem, and the range is named."""
    problem = step(value)

    assert isinstance(problem, Problem)
    assert "whole number" in problem.reason or "2**63" in problem.reason


json_trees = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=10,
)


@given(st.dictionaries(st.text().filter(lambda key: "/" not in key), json_trees, max_size=4))
def test_params_of_json_lose_nothing(tree: dict[str, Any]) -> None:
    """Settings that are JSON already can be put together again from the flat form."""

    def expected(prefix: str, value: Any) -> dict[str, Any]:
        if isinstance(value, dict) and value:
            return {
                k: v for name, item in value.items() for k, v in expected(f"{prefix}/{name}", item).items()
            }
        return {prefix: value}

    flat = {k[1:]: v for name, value in tree.items() for k, v in expected(f"/{name}", value).items()}
    values, problems = params(tree)

    if not problems:
        assert values == flat
    assert len(values) == len(flat)


@given(st.dictionaries(st.text(), st.one_of(st.booleans(), st.integers(), st.floats())))
def test_plain_numbers_pass_bit_for_bit(values: dict[str, Any]) -> None:
    """No number is changed, in the fast path or through NumPy."""
    numbers, _media, problems = metrics(values)
    wrapped, _, _ = metrics({key: np.float64(value) for key, value in values.items() if type(value) is float})

    assert numbers == values or any(value != value for value in values.values())
    assert all(repr(wrapped[key]) == repr(values[key]) for key in wrapped)
    assert not problems
