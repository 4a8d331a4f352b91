"""What the tests of the source share: a story's way into W&B and back."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from runcast.backends.wandb import WandbBackend
from runcast.journal import Blobs
from runcast.migrate.content import Content
from runcast.plugins.source import FoundRun, Selection
from runcast.records import Record
from runcast.sources.wandb import WandbSource
from runcast.testing import Courier, Story


def read(address: str | Path, blobs: Path, run: str = "") -> list[Record]:
    """The records of the only run, or of the named one."""
    source = WandbSource(str(address))
    [found] = source.runs(Selection(runs=(run,) if run else ()))
    return list(source.read(found, Blobs(blobs)))


def find(address: str | Path) -> list[FoundRun]:
    """Every run."""
    return list(WandbSource(str(address)).runs(Selection()))


def deliver(story: Story, root: Path, **options: Any) -> Courier:
    """A story, carried into a folder."""
    return Courier(WandbBackend, {"mode": "offline", **options}, root, story).play()


def differences(said: list[Record], came: list[Record]) -> dict[str, Any]:
    """What is not the same in two readings of a run; nothing where all is."""
    ours, theirs = Content.of(said), Content.of(came)
    wrong: dict[str, Any] = {}
    for name in ("head", "params", "tags", "note", "series", "others"):
        one, other = getattr(ours, name), getattr(theirs, name)
        if not isinstance(one, dict):
            if one != other:
                wrong[name] = (one, other)
            continue
        for key in one.keys() | other.keys():
            a, b = one.get(key), other.get(key)
            # The text tells 1 from 1.0 and True, and knows NaN; a series has none.
            if a != b if name in ("series", "others") else repr(a) != repr(b):
                wrong[f"{name} {key}"] = (a, b)
    return wrong


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file below a folder, with the digest of its content and the time of its last change."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        + str(path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }
