"""Which folder a run gets, and that no name leads out of the logdir."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path

from runcast.backends.tensorboard.files import make_folder, write_all
from runcast.names import escape

MARKER = "runcast.json"
_ILLEGAL = re.compile(r"^\.|[^\w.\-+=,@ ]")
_OURS = ".runcast"  # temporary files; a folder with nothing else in it is free


def safe(name: str) -> str:
    """One component of a path for `name`: at most 200 bytes, no separator, not hidden, never ``..``."""
    return escape(name, _ILLEGAL, 200 if name.isascii() else 50)


def claim(logdir: Path, experiment: str, name: str, run: str, marker: bytes) -> str:
    """The run's folder, relative to `logdir`; made and marked where there is none yet.

    Args:
        logdir: absolute.
        experiment, name: any text.
        run: the run's id.
        marker: what the new folder's `MARKER` holds until more is known; its ``run`` is the id.
    """
    group, base, own = safe(experiment), safe(name), safe(run)
    candidates = [f"{group}/{base}", f"{group}/{base}-{own[:6]}", f"{group}/{base}-{own[:32]}"]
    for candidate in candidates:
        if owner(logdir / candidate) == run:
            return candidate
    for candidate in candidates:
        if _take(logdir / candidate, marker):
            return candidate
    raise FileExistsError(errno.EEXIST, "it belongs to something else", str(logdir / candidates[-1]))


def owner(folder: Path) -> str | None:
    """Id of the run that `folder` belongs to, as far as its marker says."""
    try:
        document = json.loads((folder / MARKER).read_bytes())
    except (OSError, ValueError):
        return None
    run = document.get("run") if isinstance(document, dict) else None
    return run if isinstance(run, str) else None


def _take(folder: Path, marker: bytes) -> bool:
    """Mark a free folder as ours; False where it is not free, or somebody was faster."""
    make_folder(folder)
    if any(not entry.name.startswith(_OURS) for entry in folder.iterdir()):
        return False
    # A link appears at once, with its content, and for one only.
    temporary = folder / f"{_OURS}-claim-{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, marker)
    finally:
        os.close(descriptor)
    try:
        (folder / MARKER).hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        return _create(folder / MARKER, marker)
    finally:
        temporary.unlink()
    return True


def _create(path: Path, marker: bytes) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return False
    try:
        write_all(descriptor, marker)
    finally:
        os.close(descriptor)
    return True
