"""Which plugins are installed, without importing one of them.

Reading the entry points of every installed package takes some 10 ms, so the answer is remembered
(`runcast.cache`) together with what it was read from: for each folder on ``sys.path`` its modification
time and a digest of the package metadata folders in it, and the entry-point files that matter. The
script's own folder is on that path and changes all the time; the digest tells that no package did.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runcast import cache

GROUP = "runcast"
BUILTIN = {
    "local": "runcast.backends.local",
    "mlflow": "runcast.backends.mlflow",
    "registries": "runcast.registries",
    "sources": "runcast.sources",
    "tensorboard": "runcast.backends.tensorboard",
    "wandb": "runcast.backends.wandb",
}
"""The entry points of runcast itself, known even where it runs from a source tree."""

_SETTLED = 2_000_000_000  # ns; a folder changed more recently may change again within one clock tick
_METADATA = (".dist-info", ".egg-info")


class Entry(NamedTuple):
    """One entry point of the group ``runcast``."""

    name: str
    value: str
    distribution: str
    version: str


def entries() -> tuple[Entry, ...]:
    """The built-in plugins, then the third-party ones by distribution and name.

    The variable ``RUNCAST_PLUGINS`` restricts the latter: a comma-separated list of names of entry
    points or distributions; empty: the built-in plugins alone.
    """
    version = str(getattr(sys.modules.get("runcast"), "__version__", ""))
    own = tuple(Entry(name, value, "runcast", version) for name, value in BUILTIN.items())
    allowed = os.environ.get("RUNCAST_PLUGINS")
    if allowed is not None and not allowed.strip():
        return own
    others = _third_party()
    if allowed is not None:
        wanted = {part.strip() for part in allowed.split(",")}
        others = tuple(entry for entry in others if wanted & {entry.name, entry.distribution})
    return own + others


def stamp(path: str) -> list[Any]:
    """What changes when a file or folder does: [path, mtime in ns, size]; mtime 0 where it is not there."""
    try:
        info = os.stat(path or ".")
    except (OSError, ValueError):
        return [path, 0, 0]
    return [path, info.st_mtime_ns, info.st_size]


def is_unchanged(stamps: Any) -> bool:
    """Whether every one of some remembered stamps still holds."""
    return isinstance(stamps, list) and all(isinstance(s, list) and s and s == stamp(s[0]) for s in stamps)


def _third_party() -> tuple[Entry, ...]:
    path = [os.path.abspath(part) for part in sys.path]  # noqa: PTH100  # "" is the current folder
    name = "entries-" + hashlib.sha256("\0".join(path).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    kept = cache.get(name)
    try:
        if is_unchanged(kept["files"]) and all(_is_same_folder(*folder) for folder in kept["folders"]):
            return tuple(Entry(*map(str, entry)) for entry in kept["entries"])
    except (KeyError, TypeError):
        pass  # nothing kept, or damaged
    folders = [[part, _settled_time(part), _metadata(part)] for part in path]
    found, files = _scan()
    kept = {"folders": folders, "files": [stamp(str(file)) for file in files]}
    cache.put(name, {**kept, "entries": [list(entry) for entry in found]})
    return found


def _is_same_folder(path: str, changed: int, metadata: str) -> bool:
    return (changed != 0 and stamp(path)[1] == changed) or _metadata(path) == metadata


def _settled_time(path: str) -> int:
    """When the folder changed; 0 where that was a moment ago, because it may change again unseen."""
    changed = int(stamp(path)[1])
    return changed if time.time_ns() - changed > _SETTLED else 0


def _metadata(path: str) -> str:
    """Changes when a package is installed into the folder, again or anew, or removed from it."""
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(_METADATA))  # noqa: PTH208  # names are enough
    except OSError:
        return ""
    stamps = [stamp(os.path.join(path, name)) for name in names]  # noqa: PTH118  # hundreds of them
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()


def _scan() -> tuple[tuple[Entry, ...], list[Path]]:
    found: dict[tuple[str, str], Entry] = {}
    files: list[Path] = []
    for distribution, version, name, value, listed in _read():
        files += listed
        if distribution != "runcast":
            # The first one on the path is the one that would be imported.
            found.setdefault((distribution, name), Entry(name, value, distribution, version))
    return tuple(found[key] for key in sorted(found)), files


def _read() -> Iterator[tuple[str, str, str, str, list[Path]]]:
    from importlib.metadata import distributions

    for distribution in distributions():
        try:
            mine = [entry for entry in distribution.entry_points if entry.group == GROUP]
            if mine:
                name = re.sub(r"[-_.]+", "-", str(distribution.metadata["Name"])).lower()
                version = str(distribution.version)
                folder = Path(str(distribution.locate_file("")))
                listed = list(folder.glob(f"{name.replace('-', '_')}-*-info/entry_points.txt"))
        except Exception:  # noqa: S112  # a damaged installation of something else is none of our business
            continue
        for entry in mine:
            yield name, version, entry.name, entry.value, listed
