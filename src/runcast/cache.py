"""Small facts remembered between processes, in the user's cache folder.

Nothing here is needed: a folder that cannot be written, a file that is damaged or gone, cost time and
nothing else. Nothing secret is ever kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

_MAX_SIZE = 1 << 20


def folder() -> Path | None:
    """``$XDG_CACHE_HOME/runcast`` or ``~/.cache/runcast``; None without a home."""
    for base in (Path(os.environ.get("XDG_CACHE_HOME", "")), Path(os.environ.get("HOME", ""), ".cache")):
        if base.is_absolute():
            return base / "runcast"
    return None


def get(name: str) -> dict[str, Any]:
    """What `put` kept under `name`; empty where there is nothing, or nothing readable."""
    base = folder()
    if base is None:
        return {}
    try:
        with (base / f"{name}.json").open("rb") as file:
            kept = json.loads(file.read(_MAX_SIZE))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def put(name: str, value: dict[str, Any]) -> None:
    """Keep a JSON-like `value` under `name` (which may hold ``/``), for this user alone."""
    base = folder()
    if base is None:
        return
    path = base / f"{name}.json"
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        base.parent.mkdir(parents=True, exist_ok=True)
        for inner in (base, path.parent):
            inner.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file)
        temporary.replace(path)
    except (OSError, ValueError, TypeError):
        with contextlib.suppress(OSError):
            temporary.unlink()
