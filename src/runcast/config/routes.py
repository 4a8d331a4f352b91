"""The ``[routes.<backend>]`` tables: checked when the settings are read, because a slip would lose data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from runcast.config.settings import Route
from runcast.errors import ConfigError

_LISTS = ("include", "exclude")


def check_routes(
    tables: Mapping[str, Any], origin: Callable[[str], str], unknown: Callable[[str, Any, str], ConfigError]
) -> dict[str, Route]:
    """Each backend's route.

    Args:
        tables: backend → its raw table.
        origin: dotted key → where it was set.
        unknown: makes the error for a name that does not exist.

    Raises:
        ConfigError: a wrong name or value, or two rules of `rename` that meet.
    """
    routes = {}
    for backend, table in tables.items():
        key = f"routes.{backend}"
        if not isinstance(table, Mapping):
            raise ConfigError(f"`{key}` ({origin(key)}) is a table with {', '.join(Route.__struct_fields__)}")
        for name in table:
            if name not in Route.__struct_fields__:
                legal = [f"{key}.{field}" for field in Route.__struct_fields__]
                raise unknown(f"{key}.{name}", legal, origin(f"{key}.{name}"))
        split = {name: _split(value) if name in _LISTS else value for name, value in table.items()}
        try:
            routes[backend] = msgspec.convert(split, Route, strict=False)
        except msgspec.ValidationError as error:
            what, _, at = str(error).partition(" - at `$.")
            name = at.rstrip("`").partition("[")[0]
            raise ConfigError(f"`{key}.{name}` ({origin(f'{key}.{name}')}): {what}") from None
        _check_rename(f"{key}.rename", routes[backend].rename, origin(f"{key}.rename"))
    return routes


def check_backends(routes: Iterable[str], chosen: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a route for a backend that is one slip away from a chosen one.

    Raises:
        ConfigError: which, and the name that was probably meant. Other strangers belong to another script.
    """
    strangers = set(routes) - set(chosen) - set(known)
    if strangers:
        from difflib import get_close_matches

        for name in sorted(strangers):
            if near := get_close_matches(name, list(chosen), n=1, cutoff=0.7):
                raise ConfigError(f"there is no backend {name!r}; do you mean [routes.{near[0]}]?")


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_rename(key: str, rename: Mapping[str, str], origin: str) -> None:
    targets: dict[str, str] = {}
    for old, new in rename.items():
        rule = f"`{key}` ({origin}): {old!r} = {new!r}"
        if not old or not new:
            raise ConfigError(f"{rule}: a name must not be empty")
        if old.count("*") > 1 or old.count("*") != new.count("*"):
            raise ConfigError(f"{rule}: both sides need one `*`, for the same part, or none")
        if new in targets:
            raise ConfigError(f"{rule}: {targets[new]!r} gets the same name; give each its own")
        targets[new] = old
