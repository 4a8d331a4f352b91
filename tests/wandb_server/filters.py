"""The filters and orders of W&B's interface: conditions in MongoDB's form, and ``+key`` or ``-key``."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .errors import Refused

T = TypeVar("T")
Look = Callable[[Any, str], Any]
"""How a key of a filter reads in an object; raises `KeyError` for a key that it does not know."""


def select(items: Iterable[T], filters: str | None, order: str | None, look: Look) -> list[T]:
    """The items that meet the filters, in the order asked for.

    Raises:
        LookupError: a key or an operator is not known here.
    """
    wanted = json.loads(filters) if filters else {}
    found = [item for item in items if _meets(wanted, item, look)]
    for part in reversed([p.strip() for p in (order or "").split(",") if p.strip()]):
        ranks = [_rank(look(item, part.lstrip("+-"))) for item in found]
        places = sorted(range(len(found)), key=ranks.__getitem__, reverse=part[0] == "-")
        found = [found[place] for place in places]
    return found


def _rank(value: Any) -> tuple[int, Any]:
    # Nothing, numbers and texts do not compare with each other; they are sorted apart.
    if isinstance(value, (bool, int, float)):
        return 1, value
    return (0, 0) if value is None else (2, str(value))


def _meets(wanted: Mapping[str, Any], item: Any, look: Look) -> bool:
    return all(_one(key, condition, item, look) for key, condition in wanted.items())


def _one(key: str, condition: Any, item: Any, look: Look) -> bool:
    if key == "$and":
        return all(_meets(part, item, look) for part in condition)
    if key == "$or":
        return any(_meets(part, item, look) for part in condition)
    if key == "$nor":
        return not any(_meets(part, item, look) for part in condition)
    if key == "$not":
        return not _meets(condition, item, look)
    return _holds(look(item, key), condition)


def _holds(value: Any, condition: Any) -> bool:
    if isinstance(condition, Mapping) and any(word.startswith("$") for word in condition):
        return all(_OPERATORS[word](value, bound) for word, bound in condition.items())
    return _equal(value, condition)


def _equal(value: Any, wanted: Any) -> bool:
    return value == wanted or (isinstance(value, list) and wanted in value)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(value: Any, bound: Any) -> bool:
        left, right = _rank(value), _rank(bound)
        return value is not None and left[0] == right[0] and compare(left[1], right[1])

    return test


def _matches(value: Any, pattern: str) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and re.search(pattern, text) is not None for text in values)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda value, bound: not _equal(value, bound),
    "$in": lambda value, bound: any(_equal(value, one) for one in bound),
    "$nin": lambda value, bound: not any(_equal(value, one) for one in bound),
    "$gt": _ordered(operator.gt),
    "$gte": _ordered(operator.ge),
    "$lt": _ordered(operator.lt),
    "$lte": _ordered(operator.le),
    "$exists": lambda value, bound: (value is not None) == bound,
    "$regex": _matches,
    "$contains": lambda value, bound: isinstance(value, (str, list)) and bound in value,
    "$not": lambda value, bound: not _holds(value, bound),
}


def deep(tree: Any, path: str) -> Any:
    """The value under a dotted path of nested dicts, or None."""
    for part in path.split("."):
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(part)
    return tree


def like(pattern: str) -> Callable[[str], bool]:
    """A test of names by a pattern in the form of SQL's LIKE."""
    if "\\" in pattern:
        raise Refused("escapes in a LIKE pattern are not known here")
    parts = (".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None
