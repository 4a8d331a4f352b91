"""What the runs of one process share: its lock, its courier, and the end of the process.

runcast installs no signal handler. ``atexit`` finishes the runs that are still open; a chained
``sys.excepthook`` remembers whether an exception ended the script, so that they end as ``failed``.
Everything else (``kill -9``, ``os._exit``, a SIGTERM without a handler) is the courier's to notice.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from runcast.journal import Layout, ProcessLock

if TYPE_CHECKING:  # the rest when it is needed: importing it takes long
    from runcast.capture import Job
    from runcast.courier.inline import CourierThreads
    from runcast.courier.watch import Watch
    from runcast.plugins.backend import Backend

_sessions: dict[Path, Session] = {}
_open_runs: list[Ending] = []
_uncaught: list[BaseException] = []
_locks: list[ProcessLock] = []
_hooked = False
_POLL = 0.02
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)


class Ending(NamedTuple):
    """How the end of the process ends one run.

    Attributes:
        end: ``end(status, error)`` says the last word.
        wait: ``wait(spent)`` waits for delivery; `spent` are the seconds that were waited for other runs.
    """

    end: Callable[[str, str | None], None]
    wait: Callable[[float], None]


class Session:
    """One runcast directory, as used by this process."""

    def __init__(self, layout: Layout) -> None:
        # The first two are for the end of a run, and are loaded now all the same: the package may be upgraded
        # while a training goes on, and two versions must not mix.
        from runcast.courier import closing, progress  # noqa: F401
        from runcast.courier.client import CourierProcess

        self.layout = layout
        fresh = not layout.root.exists()
        self.process = _lock(layout)
        if fresh:
            _hide_from_git(layout)
        self.courier = CourierProcess(layout, self.process)
        self._threads: CourierThreads | None = None
        self._watch: Watch | None = None
        self._late: dict[str, Callable[[], None]] = {}
        self._jobs: dict[str, Job] = {}  # the courier's
        self._pid = os.getpid()

    def announce(
        self,
        run: str,
        options: dict[str, dict[str, Any]],
        classes: dict[str, type[Backend]],
        delivery: str,
        job: Job,
    ) -> None:
        """Begin to deliver a run, and to look after it: by the courier process, or by threads.

        Args:
            run: its id.
            options: name of each backend → its options.
            classes: the script's own backends, which no other process can import.
            delivery: see `runcast.config.Settings`.
            job: what to record of the run's surroundings.
        """
        if delivery == "later":
            self._watch_here(run, job, lambda: None)
            return
        from runcast.courier.command import interpreter

        # Without a Python to start there is no process: threads are the next best.
        in_threads = delivery == "thread" or interpreter() is None
        threaded = options if in_threads else {name: options[name] for name in classes}
        if threaded and self._threads is None:
            from runcast.courier.inline import CourierThreads

            self._threads = CourierThreads(self.layout)
        distant = {name: values for name, values in options.items() if name not in threaded}
        if distant and not threaded:
            self.courier.announce(run, distant, msgspec.to_builtins(job))
            self._jobs[run] = job
            return
        threads = self._threads

        def deliver() -> None:
            if threads is not None:
                for name in threaded:
                    threads.announce(run, name, classes.get(name), options[name])
            if distant:
                self.courier.announce(run, distant, {})

        deliver()
        self._watch_here(run, job, deliver)

    def _watch_here(self, run: str, job: Job, again: Callable[[], None]) -> None:
        """Without a courier process, a thread of this one does its other work too."""
        if not (job.wants_more or job.interval):
            return
        if self._watch is None:
            from runcast.courier.watch import Watch

            self._watch = Watch(self.layout, lambda run: self._late[run]())
        self._late[run] = again
        self._watch.add(run, job)

    def settle(self, run: str, timeout: float, *, here: bool = False) -> None:
        """Wait until the run's surroundings are recorded, so that its last word comes after them.

        Args:
            run: its id.
            timeout: seconds, at most.
            here: wait only for a thread of this process, whose work would be lost.
        """
        if self._watch is not None:
            self._watch.settle(run, timeout)
        job = None if here else self._jobs.pop(run, None)
        if job is None or not job.wants_more or os.getpid() != self._pid:
            return
        from runcast.courier.closing import is_described

        deadline = time.monotonic() + timeout
        while not is_described(self.layout.journal(run), job.generation) and time.monotonic() < deadline:
            self.courier.check()
            time.sleep(_POLL)

    def wake(self) -> None:
        """Deliver what there is now."""
        if os.getpid() != self._pid:  # a forked child has neither pipe nor threads, only copies of them
            return
        self.courier.wake()
        if self._threads is not None:
            self._threads.wake()

    def close(self) -> None:
        """The process ends: the courier goes on alone, the threads stop."""
        if self._watch is not None:
            self._watch.stop()
        if self._threads is not None:
            self._threads.close()
        self.courier.close()


def _lock(layout: Layout) -> str:
    """Name of this process's lock; "" where a full disk has no room for it, which counts as alive."""
    try:
        lock = ProcessLock(layout.alive)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        return ""
    _locks.append(lock)
    return lock.name


def _hide_from_git(layout: Layout) -> None:
    """A folder that runcast has made is no part of the user's repository; others stay as they are."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with contextlib.suppress(OSError):  # a full disk: it is no more than a convenience
        place = os.open(layout.root / ".gitignore", flags, 0o600)
        with os.fdopen(place, "wb") as file:
            file.write(b"*\n")


def session(directory: Path) -> Session:
    """The session of this process in a runcast directory."""
    key = directory.absolute()
    if key not in _sessions:
        _sessions[key] = Session(Layout(key))
        _hook()
    return _sessions[key]


def close_all() -> None:
    """Close every session; couriers go on with what is left, and whoever comes next opens a session anew."""
    for session in _sessions.values():
        session.close()
    _sessions.clear()
    for lock in _locks:
        lock.release()
    _locks.clear()


def on_exit(ending: Ending) -> None:
    """Have a run ended at the end of the process."""
    _open_runs.append(ending)


def off_exit(ending: Ending) -> None:
    """The run is over."""
    with contextlib.suppress(ValueError):
        _open_runs.remove(ending)


def describe(error: BaseException) -> str:
    """Type and text of an exception."""
    try:
        text = str(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
    except Exception:  # a class of the script's own may fail even at that
        return type(error).__name__


def _hook() -> None:
    global _hooked
    if _hooked:
        return
    _hooked = True
    atexit.register(_at_exit)
    previous = sys.excepthook

    def remember(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if not hasattr(sys, "ps1"):  # at a prompt, an exception ends nothing
            _uncaught.append(error)
        previous(kind, error, traceback)

    sys.excepthook = remember


def _at_exit() -> None:
    error = _uncaught[-1] if _uncaught else None
    status = "finished"
    if error is not None:
        status = "killed" if isinstance(error, KeyboardInterrupt) else "failed"
    endings = list(reversed(_open_runs))  # children before their parents
    for ending in endings:  # all last words first: whoever is impatient then loses nothing
        ending.end(status, describe(error) if error is not None else None)
    began = time.monotonic()
    try:
        for ending in endings:
            ending.wait(time.monotonic() - began)
    finally:
        close_all()


def _forget_after_fork() -> None:
    # Lock, pipe and threads are the parent's. The child's records reach the parent's courier by
    # themselves: they stand in the same folder.
    for session in _sessions.values():
        session.courier.forsake()
    _sessions.clear()
    _open_runs.clear()
    _locks.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
