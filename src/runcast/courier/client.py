"""The trainer's end of the courier: starts it, tells it of runs, asks it to hurry. It never raises."""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
import time
from collections import deque
from typing import Any

from runcast.courier.command import python
from runcast.journal import Layout
from runcast.notices import warn

LAST_WORDS = 2.0
"""Seconds that the end of the process waits for a courier that is still starting to take its commands."""
LONGEST_DELAY = 60.0


class CourierProcess:
    """The courier of this process; started at the first run, and again if it was killed.

    Threads and signal handlers may call at once: commands go into a queue, and one of the callers at a
    time empties it.

    Args:
        layout: the runcast directory.
        process: name of this process's lock.
    """

    def __init__(self, layout: Layout, process: str) -> None:
        self._layout = layout
        self._process = process
        self._owner = os.getpid()
        self._pid = 0
        self._pipe = -1
        self._queue: deque[dict[str, Any]] = deque()
        self._outgoing = b""
        self._lock = threading.Lock()
        self._runs: dict[str, dict[str, Any]] = {}
        self._environment: dict[str, str] = {}
        self._start_at = 0.0
        self._delay = 0.0

    def announce(self, run: str, backends: dict[str, dict[str, Any]], job: dict[str, Any]) -> None:
        """A run began: deliver it to these backends, with these options; and see to its `Job`."""
        self._runs[run] = {"run": run, "backends": backends, "job": job}
        self._queue.append(self._runs[run])
        self.check()

    def forget(self, run: str) -> None:
        """A run is over; a courier that has to be started again need not know of it."""
        self._runs.pop(run, None)

    def wake(self) -> None:
        """Deliver now, not at the next opportunity; a courier that was never needed stays away."""
        if self._runs:
            if not self._queue:
                self._queue.append({})
            self.check()

    def check(self) -> None:
        """Start the courier again if it was killed, and send what it could not take so far."""
        if os.getpid() != self._owner:  # a forked child: the courier is its parent's
            return
        again = True
        while again and self._lock.acquire(blocking=False):
            try:
                if self._runs and self._is_dead():
                    self._restart()
                self._reap()
                again = self._flush() and bool(self._queue)
            finally:
                self._lock.release()

    def _flush(self) -> bool:
        """Whether everything was sent."""
        if self._pipe < 0:
            return False
        while self._queue:
            command = self._queue.popleft()
            if "run" in command and (changed := self._changed_environment()):
                self._outgoing += _line({"env": changed})
            self._outgoing += _line(command)
        # Asked first: a script may have restored the default of SIGPIPE, and must not die of it.
        if self._outgoing and not self._is_dead():
            # A courier that is busy starting takes the rest later.
            with contextlib.suppress(OSError):
                sent = os.write(self._pipe, self._outgoing)
                self._outgoing = self._outgoing[sent:]
        return not self._outgoing

    def _changed_environment(self) -> dict[str, str | None]:
        now = dict(os.environ)
        changed: dict[str, str | None] = {
            name: value for name, value in now.items() if self._environment.get(name) != value
        }
        changed |= dict.fromkeys(self._environment.keys() - now.keys())
        self._environment = now
        return changed

    def _is_dead(self) -> bool:
        return self._pipe < 0 or bool(self._poll(0, 0.0) & select.POLLERR)

    def _poll(self, what: int, seconds: float) -> int:
        poll = select.poll()
        poll.register(self._pipe, what)
        return sum(event for _, event in poll.poll(1000 * seconds))

    def _restart(self) -> None:
        now = time.monotonic()
        if now < self._start_at:
            return
        if now > self._start_at + LONGEST_DELAY:  # the last one lived for long
            self._delay = 0.0
        self._drop()
        try:
            self._start()
        except OSError as error:
            self._drop()
            warn(
                f"the courier cannot be started ({error.strerror or error}); "
                "what is logged is safe: `runcast deliver` delivers it"
            )
        self._start_at = now + self._delay
        self._delay = min(LONGEST_DELAY, max(1.0, 2 * self._delay))

    def _start(self) -> None:
        self._changed_environment()
        command = python("runcast.courier.supervisor", str(self._layout.root.absolute()), self._process)
        read_end, self._pipe = os.pipe()
        devnull = -1
        try:
            os.set_blocking(self._pipe, False)
            devnull = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            # posix_spawn: no fork of a process full of threads and GPU memory.
            self._pid = os.posix_spawn(
                command[0],
                command,
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, read_end, 0),
                    (os.POSIX_SPAWN_DUP2, devnull, 1),
                    (os.POSIX_SPAWN_DUP2, devnull, 2),
                ],
                setsid=True,
            )
        finally:
            os.close(read_end)
            if devnull >= 0:
                os.close(devnull)
        self._queue.clear()  # what was queued for the last one is said here, or out of date
        self._queue.extend(list(self._runs.values()))

    def _reap(self) -> None:
        """The process that we started only starts the courier, and ends at once."""
        if self._pid:
            try:
                done, _ = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # somebody else reaped it
                done = self._pid
            self._pid = 0 if done else self._pid

    def _drop(self) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pipe)
            self._pipe = -1
        self._outgoing = b""
        self._reap()

    def close(self) -> None:
        """Let the courier go; it finishes its work."""
        if os.getpid() != self._owner:
            return
        self._lock.acquire(timeout=LAST_WORDS)  # for good: nothing is sent after this
        deadline = time.monotonic() + LAST_WORDS
        while self._pipe >= 0 and not self._flush() and not self._is_dead() and time.monotonic() < deadline:
            self._poll(select.POLLOUT, 0.1)
        self._drop()

    def forsake(self) -> None:
        """In a forked child: the pipe is the parent's."""
        self._drop()


def _line(command: dict[str, Any]) -> bytes:
    return json.dumps(command).encode() + b"\n"
