"""Hostile and foreign values."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections import OrderedDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import torch


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
