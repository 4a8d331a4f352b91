"""The trainer's end of the courier: starts it, tells it of runs, asks it to hurry. Never waits."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import Any

from runcast.courier.command import python
from runcast.journal import Layout


class CourierProcess:
    """The courier of this process; started at the first run, and again if it was killed.

    Args:
        layout: the runcast directory.
        process: name of this process's lock.
    """

    def __init__(self, layout: Layout, process: str) -> None:
        self._layout = layout
        self._process = process
        self._pid = 0
        self._pipe = -1
        self._outgoing = b""
        self._runs: dict[str, dict[str, dict[str, Any]]] = {}

    def announce(self, run: str, backends: dict[str, dict[str, Any]]) -> None:
        """A run began: deliver it to these backends, with these options."""
        self._runs[run] = backends
        self._send({"run": run, "backends": backends})

    def forget(self, run: str) -> None:
        """A run is over; a courier that has to be started again need not know of it."""
        self._runs.pop(run, None)

    def wake(self) -> None:
        """Deliver now, not at the next opportunity; a courier that was never needed stays away."""
        if self._runs:
            self._send({})

    def check(self) -> None:
        """Start the courier again if it was killed."""
        if self._pipe >= 0 and self._is_dead():
            self._restart()

    def _send(self, command: dict[str, Any]) -> None:
        if self._pipe < 0:
            self._restart()
            if "run" in command:
                return  # a courier that just started was told everything
        self._outgoing += json.dumps(command).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            sent = os.write(self._pipe, self._outgoing)
            self._outgoing = self._outgoing[sent:]
        except BlockingIOError:
            pass  # the courier is busy starting: the next call sends the rest
        except OSError:
            self._restart()

    def _is_dead(self) -> bool:
        try:
            return os.waitpid(self._pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # somebody else reaped it
            return True

    def _restart(self) -> None:
        self.close()
        # posix_spawn: no fork of a process full of threads and GPU memory, and nothing to reap.
        read_end, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        devnull = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._pid = os.posix_spawn(
                sys.executable,
                python("runcast.courier.supervisor", str(self._layout.root.absolute()), self._process),
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
            os.close(devnull)
        self._outgoing = b"".join(
            json.dumps({"run": run, "backends": backends}).encode() + b"\n"
            for run, backends in self._runs.items()
        )
        if self._outgoing:
            self._flush()

    def close(self) -> None:
        """Let the courier go; it finishes its work."""
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pipe)
            self._pipe = -1
        if self._pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, os.WNOHANG)
            self._pid = 0
