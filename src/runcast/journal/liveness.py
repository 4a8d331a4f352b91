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

    _held: ClassVar[set[str]] = set()  # names, because one folder has many spellings

    def __init__(self, folder: Path) -> None:
        make_private(folder)
        self.name = os.urandom(8).hex()
        self._path = folder / self.name
        self._pid = os.getpid()
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Nobody else wants it for longer than a look, see `is_alive`.
            fcntl.lockf(self._fd, fcntl.LOCK_EX)
        except OSError:
            os.close(self._fd)
            raise
        self._held.add(self.name)

    def release(self) -> None:
        """Let go, as death would; a second time does nothing."""
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        self._held.discard(self.name)
        with contextlib.suppress(OSError):
            os.close(fd)
        if os.getpid() == self._pid:
            with contextlib.suppress(OSError):
                self._path.unlink()


def is_alive(folder: Path, name: str) -> bool:
    """Whether the process that took the lock `name` in `folder` still lives; ``""`` never did."""
    if name in ProcessLock._held:
        return True
    if not name.isalnum():  # nothing that leads out of the folder
        return False
    try:
        fd = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:  # not ours to open: say "alive", so that nobody closes its run
        return True
    try:
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who look agree
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _forget_after_fork() -> None:
    # The child holds none of its parent's locks, whatever the set says.
    ProcessLock._held = set()


os.register_at_fork(after_in_child=_forget_after_fork)
