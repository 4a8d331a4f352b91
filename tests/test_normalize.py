"""Whatever a script logs becomes plain values, or a problem that says what to do."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import enum
import functools
import math
import uuid
from collections import OrderedDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
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

from runcast import codec
from runcast.normalize import Problem, flatten, metrics, params, step, tags
from runcast.records import Params


class Colour(enum.Enum):
    """An enum whose members are keys and values."""

    RED = "red"
    BLUE = 2


class Hostile:
    """Raises wherever it is touched."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attributes")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = None  # type: ignore[assignment]  # what a class with its own equality gets


class NoFloat:
    """Says it is a number, and raises when asked which."""

    def __float__(self) -> float:
        raise RuntimeError("no float")


class Liar:
    """Its class is a property that raises."""

    @property
    def __class__(self) -> type:  # type: ignore[override]  # lying is the point
        raise RuntimeError("no class")


class BadMeta(type):
    """Its classes cannot be hashed, compared or shown."""

    def __hash__(cls) -> int:
        raise RuntimeError("no hash")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("no equality")

    def __repr__(cls) -> str:
        raise RuntimeError("no repr")


class BadClass(metaclass=BadMeta):
    """An instance of a class that cannot even be hashed."""


class BadMapping(OrderedDict[str, Any]):
    """A mapping that cannot be iterated."""

    def __iter__(self) -> Any:
        raise RuntimeError("no keys")


class BadItems(OrderedDict[str, Any]):
    """A mapping whose values cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)


class BadInt(int):
    """An int that raises when asked for its value."""

    def __int__(self) -> int:
        raise RuntimeError("no int")

    __index__ = __int__


@dataclasses.dataclass
class Model:
    """A nested configuration."""

    dim: int = 3
    kind: Colour = Colour.RED
    path: Path = Path("a/b")


Point = namedtuple("Point", "x y")


def _cyclic() -> dict[str, Any]:
    tree: dict[str, Any] = {"lr": 1}
    tree["inner"] = {"up": tree}
    return tree


def _cyclic_list() -> list[Any]:
    items: list[Any] = [1]
    items.append(items)
    return items


def _deep(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"leaf": 1}
    for _ in range(levels):
        tree = {"d": tree}
    return tree


ZOO: list[Any] = [
    None,
    "1.5",
    b"x",
    1j,
    math.nan,
    math.inf,
    -0.0,
    2**70,
    True,
    [],
    [1],
    (),
    {},
    set(),
    {1},
    object(),
    object,
    Hostile(),
    Liar(),
    BadClass(),
    BadClass,
    BadMapping(a=1),
    BadItems(a=1),
    BadInt(3),
    _cyclic(),
    _cyclic_list(),
    _deep(100),
    Decimal("sNaN"),
    Decimal("1e400"),
    Fraction(10**400),
    Colour.RED,
    Colour.BLUE,
    np.array([1, 2]),
    np.array([]),
    np.array(object()),
    np.ma.masked,
    np.datetime64("2020-01-01"),
    np.timedelta64(1, "s"),
    np.longdouble(1.5),
    np.void(b"x"),
    torch.zeros(3),
    torch.empty(2, device="meta"),
    torch.empty((), device="meta"),
    range(10**12),
    iter([1]),
    deque([1]),
    Model(),
    Model,
    Point(1, 2),
    SimpleNamespace(a=Hostile()),
    "\ud800",
    memoryview(b"abc"),
    lambda: 1,
    float,
    MappingProxyType({"a": 1}),
    "x" * 100_000,
]


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
