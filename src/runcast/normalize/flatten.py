"""Nested mappings to one level: ``{"train": {"loss": 1}}`` → ``{"train/loss": 1}``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

from runcast.normalize.problem import Problem, look, same, text_of, type_name

MAX_DEPTH = 32
_MAX_LEAVES = 1_000_000

Expand = Callable[[Any], "Mapping[Any, Any] | None"]


def flatten(mapping: Any, expand: Expand | None = None) -> tuple[dict[str, Any], list[Problem]]:
    """Join nested keys with ``/``; an empty mapping inside stays as a value.

    Args:
        mapping: keys of any type; they become text.
        expand: gives the mapping to descend into, or None for a value that stays whole.
            Without it, mappings alone are descended into.

    Returns:
        The flat mapping, and a problem for each cycle, each level below 32, and each pair of keys that
        meet with different values (the first one is kept).
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    top = as_mapping(mapping)
    if top is None and expand is not None:
        top = expand(mapping)
    if top is None:
        return {}, [
            Problem("", f"a mapping of names to values is needed, not {type_name(mapping)}", look(mapping))
        ]
    paths: dict[str, tuple[Any, ...]] = {}
    for key, path, value, problem in _walk(top, "", (), (id(mapping),), expand or as_mapping):
        if problem:
            problems.append(Problem(key, problem, "" if value is None else look(value)))
        elif key not in values:
            values[key] = value
            paths[key] = path
            if len(values) >= _MAX_LEAVES:
                problems.append(
                    Problem("", f"more than {_MAX_LEAVES} values in one call: the rest is left out")
                )
                break
        elif not same(values[key], value):
            reason = f"two names meet: {_spell(paths[key])} and {_spell(path)}; the first is kept, rename one"
            problems.append(Problem(key, reason, look(value)))
    return values, problems


def _walk(
    mapping: Mapping[Any, Any], prefix: str, path: tuple[Any, ...], above: tuple[int, ...], expand: Expand
) -> Iterator[tuple[str, tuple[Any, ...], Any, str]]:
    """Yield (flat key, the keys as they were given, value, problem or "")."""
    for raw, value, problem in _items(mapping):
        key = prefix + (raw if type(raw) is str else key_text(raw))
        keys = (*path, raw)
        if problem:
            yield key or prefix, keys, None, problem
            continue
        inner = expand(value)
        if not inner:
            yield key, keys, value if inner is None else {}, ""
        elif id(value) in above:
            yield key, keys, None, "it contains itself: log a copy without the cycle"
        elif len(above) >= MAX_DEPTH:
            yield key, keys, None, f"nested deeper than {MAX_DEPTH} levels: flatten it before logging"
        else:
            yield from _walk(inner, key + "/", keys, (*above, id(value)), expand)


def _spell(path: tuple[Any, ...]) -> str:
    return "".join(f"[{look(key)}]" for key in path)


def _items(mapping: Mapping[Any, Any]) -> Iterator[tuple[Any, Any, str]]:
    """The items of any mapping; what raises becomes a problem of its own key."""
    try:
        # A copy, because another thread may be writing to it.
        keys = list(mapping) if type(mapping) is dict else _first_keys(mapping)
    except Exception as error:
        yield "", None, f"its keys cannot be listed ({type_name(error)}): log a plain dict"
        return
    for key in keys:
        try:
            value = mapping[key]
        except Exception as error:
            yield key, None, f"its value cannot be read ({type_name(error)}): log a plain dict"
        else:
            yield key, value, ""


def _first_keys(mapping: Mapping[Any, Any]) -> list[Any]:
    keys: list[Any] = []
    for key in mapping:
        keys.append(key)
        if len(keys) > _MAX_LEAVES:
            break
    return keys


def as_mapping(value: Any) -> Mapping[Any, Any] | None:
    """`value` where it is a mapping; asking never raises."""
    if type(value) is dict:
        return value
    try:
        return value if isinstance(value, Mapping) else None
    except Exception:
        return None


def key_text(key: Any) -> str:
    """A key as text: an enum's text value or name, else ``str``."""
    try:
        if isinstance(key, Enum):
            return key.value if type(key.value) is str else str(key.name)
        if isinstance(key, bytes):
            return key.decode("utf-8", "backslashreplace")
    except Exception:
        return f"<{type_name(key)}>"
    return text_of(key)
