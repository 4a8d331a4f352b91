"""Which runs this user has started on this machine, kept outside of every runcast directory.

A journal says where its run is delivered to, and anybody can write one. ``runcast deliver`` connects there
with the user's credentials, so it does that by itself only for runs that were noted here when they began. One
small file per run, in ``$XDG_STATE_HOME/runcast/started`` or ``~/.local/state/runcast/started``; its content
is the runcast directory, so that a run that came back from somebody else in another folder is a stranger's.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from runcast.journal import Layout, make_private


def note(layout: Layout, run: str) -> None:
    """This user starts the run. Never raises: what could not be noted is asked for by ``runcast deliver``."""
    path = _place(run)
    if path is not None:
        with contextlib.suppress(OSError):
            make_private(path.parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
                file.write(_directory(layout))


def is_noted(layout: Layout, run: str) -> bool:
    """Whether this user started the run, in this directory."""
    path = _place(run)
    try:
        return path is not None and path.read_bytes() == _directory(layout)
    except OSError:
        return False


def forget(layout: Layout, run: str) -> None:
    """The run is gone from this directory for good."""
    path = _place(run)
    if path is not None and is_noted(layout, run):
        with contextlib.suppress(OSError):
            path.unlink()


def _place(run: str) -> Path | None:
    home = Path(os.environ.get("HOME", ""))
    for base in (Path(os.environ.get("XDG_STATE_HOME", "")), home / ".local" / "state"):
        if base.is_absolute():
            return base / "runcast" / "started" / run
    return None


def _directory(layout: Layout) -> bytes:
    return os.fsencode(layout.root.resolve())
