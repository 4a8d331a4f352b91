"""Configuration that a script hands over, as plain JSON-like values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Enum
from typing import Any

from runcast.errors import ConfigError

_MAX_DEPTH = 32


def plain(value: Any, where: str = "configuration", above: tuple[int, ...] = ()) -> Any:
    """`value` with mappings as dicts, sequences as lists, paths and dates as text.

    Raises:
        ConfigError: it contains itself, is nested too deeply, or holds what cannot be written down.
    """
    if value is None or type(value) in (str, bool, int, float):
        return value
    if id(value) in above:
        raise ConfigError(f"{where}: contains itself; give a copy without the cycle")
    if len(above) >= _MAX_DEPTH:
        raise ConfigError(f"{where}: is nested deeper than {_MAX_DEPTH} levels; flatten it")
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}", inside) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item, f"{where}[{index}]", inside) for index, item in enumerate(value)]
    return _scalar(value, where, inside)


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"{where}: its names must be text, not {type(key).__name__}")
    return key


def _scalar(value: Any, where: str, inside: tuple[int, ...]) -> Any:
    if isinstance(value, Enum):
        return plain(value.value, where, inside)
    for base in (str, int, float):  # subclasses, such as NumPy's
        if isinstance(value, base):
            return base(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if callable(reveal := getattr(value, "get_secret_value", None)):  # pydantic's SecretStr
        return plain(reveal(), where, inside)
    if isinstance(name := getattr(value, "name", None), str) and isinstance(value, type):  # a backend's class
        return name
    if callable(written := getattr(value, "isoformat", None)):  # TOML has dates and times
        return str(written())
    raise ConfigError(
        f"{where}: a {type(value).__name__} cannot be written down; give text, a number or a list"
    )
