"""The layer of ``RUNCAST_*`` variables.

``RUNCAST_DIR`` is a setting; ``RUNCAST_PROFILE__BUDGET`` and ``RUNCAST_MLFLOW__URI`` reach into a table.
Lists are comma-separated; an option's list or table is JSON. An empty variable counts as not set.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runcast.config.settings import Settings
from runcast.errors import ConfigError

PREFIX = "RUNCAST_"
_PLAIN = frozenset(Settings.__struct_fields__) - {"routes"}
"""Settings whose values are no JSON."""
RESERVED = frozenset({"PLUGINS", "DEBUG_LOG", "RUN_ID", "VERSION", "REPRODUCE"})
"""Variables that are no settings: switches for tests and debugging, and what processes tell each other."""


def read(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """The variables as a tree, dotted key → variable, and the variables that nothing claims.

    Raises:
        ConfigError: a variable is one slip away from a setting's name.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    ignored: list[str] = []
    for name in sorted(name for name in environ if name.startswith(PREFIX)):
        rest, value = name[len(PREFIX) :], environ[name]
        if rest in RESERVED or not value:
            continue
        path = rest.lower().split("__")
        if len(path) == 1 and path[0] not in Settings.__struct_fields__:
            _refuse_slip(name, path[0])
            ignored.append(name)
        elif not all(path) or not _put(tree, path, value if path[0] in _PLAIN else _decode(value)):
            ignored.append(name)
        else:
            origins[".".join(path)] = name
    return tree, origins, ignored


def _put(tree: dict[str, Any], path: list[str], value: Any) -> bool:
    node: Any = tree
    for part in path[:-1]:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            return False
    node[path[-1]] = value
    return True


def _decode(value: str) -> Any:
    if value[0] in "[{":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _refuse_slip(name: str, key: str) -> None:
    from difflib import get_close_matches

    if near := get_close_matches(key, Settings.__struct_fields__, n=1, cutoff=0.75):
        raise ConfigError(f"{name}: there is no setting {key!r}; do you mean {PREFIX}{near[0].upper()}?")
