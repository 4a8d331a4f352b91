"""Is the process that wrote a segment still alive? A lock that the kernel releases knows.

Each process holds one POSIX record lock on ``alive/<process>``. Unlike ``flock`` it is not passed on
by ``fork``, so a lingering child does not keep a dead trainer alive. It is also released when *any*
descriptor of that file is closed in the owning process; so the owner never opens its file again, and
answers about itself from memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import ClassVar

from runcast.journal.layout import make_private


class ProcessLock:
    """The lock of this process in one runcast directory; held until `release` or death."""

    _held: ClassVar[set[Path]] = set()

    def __init__(self, folder: Path) -> None:
        make_private(folder)
        self.name = os.urandom(8).hex()
        self._path = folder / self.name
        self._pid = os.getpid()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._held.add(self._path.absolute())

    def release(self) -> None:
        """Let go, as death would."""
        self._held.discard(self._path.absolute())
        with contextlib.suppress(OSError):
            os.close(self._fd)
        if os.getpid() == self._pid:
            with contextlib.suppress(OSError):
                self._path.unlink()


def is_alive(folder: Path, name: str) -> bool:
    """Whether the process that took the lock `name` in `folder` still lives."""
    path = (folder / name).absolute()
    if path in ProcessLock._held:
        return True
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:  # not ours to open: say "alive", so that nobody closes its run
        return True
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _forget_after_fork() -> None:
    # The child holds none of its parent's locks, whatever the set says.
    ProcessLock._held = set()


os.register_at_fork(after_in_child=_forget_after_fork)
