"""What loading a model needs: exact versions of the packages behind it, without starting an interpreter."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from pickletools import genops

_MOST_BYTES = 20_000_000
"""A larger pickle is not looked through: that takes about a second per 10 MB of small objects."""
_RUNCAST = "runcast"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Name on PyPI → installed version, Python's own first; what is not installed is left out."""
    found = {"python": platform.python_version()}
    for package in sorted(set(packages)):
        name = _installed(package)
        if name:
            found[name] = metadata.version(name)
    return found


def lines(packages: dict[str, str]) -> list[str]:
    """As ``pip install`` takes them."""
    return [f"{name}=={version.partition('+')[0]}" for name, version in packages.items() if name != "python"]


def behind(pickle: Path) -> set[str]:
    """Distributions whose modules a pickle names."""
    if pickle.stat().st_size > _MOST_BYTES:
        return set()
    roots: set[str] = set()
    texts: list[str] = []
    with pickle.open("rb") as file:
        for code, argument, _ in genops(file):
            if code.name == "GLOBAL":
                roots.add(str(argument).partition(".")[0])
            elif isinstance(argument, str):
                texts.append(argument)
    # Of STACK_GLOBAL the module is some text before it, perhaps one that was remembered: each is tried.
    roots |= {text.partition(".")[0] for text in texts if text in sys.modules}
    return {name for root in roots for name in _distributions().get(root, ()) if name != _RUNCAST}


def distribution_of(model: object) -> set[str]:
    """The distribution that a model's class comes from."""
    root = str(type(model).__module__).partition(".")[0]
    return {name for name in _distributions().get(root, ()) if name != _RUNCAST}


@cache
def _distributions() -> dict[str, list[str]]:
    return {root: sorted(set(names))[:1] for root, names in metadata.packages_distributions().items()}


_ALSO = {"xgboost": ("xgboost-cpu",), "mlflow": ("mlflow-skinny",)}
"""Distributions that bring the same package."""


def _installed(package: str) -> str:
    for name in (package, *_ALSO.get(package, ())):
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return str(name)
    return ""
