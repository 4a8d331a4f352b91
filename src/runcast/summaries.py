"""What `Define` means, for everybody who sums metrics up."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Literal, TypeVar

T = TypeVar("T")


def definition(key: str, defined: Mapping[str, T]) -> T | None:
    """What was defined of a metric: under its own name, else by the last pattern that fits.

    Args:
        key: the metric, as the script called it.
        defined: name or pattern → definition, in the order of their definition.
    """
    if key in defined:
        return defined[key]
    return next((defined[pattern] for pattern in reversed([*defined]) if fnmatchcase(key, pattern)), None)


def best_is(goal: str | None) -> Literal["min", "max"]:
    """Which end is the best value; without a goal the lowest, as for W&B."""
    return "max" if goal == "maximize" else "min"
