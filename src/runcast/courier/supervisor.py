"""The courier process: one per training process, however many runs that opens.

It brings live segments to the disk every half second, wakes the workers when there is news, kills a
worker that hangs, notices that the trainer is dead, says ``crashed`` for it, and stays until
everything is delivered. Standard input, one JSON object a line: ``{"run", "backends"}`` announces a
run, ``{}`` asks to deliver now.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import sys
import time
from pathlib import Path
from typing import Any

from runcast.courier.closing import close_dead, is_over
from runcast.courier.workers import Worker
from runcast.journal import Layout, is_alive

TICK = 0.5
"""Seconds between two syncs of the live segments: the promise for a loss of power."""
WAKE = 2.0
"""Seconds between two deliveries while the script goes on; fuller batches cost the machine less."""
LINGER = 3600.0
"""Seconds without any progress after the trainer's end before the rest is left to ``runcast deliver``."""


class Syncer:
    """Brings what grew to the disk itself, so that the training thread need not."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._sizes: dict[Path, int] = {}

    def sync(self, run: str) -> bool:
        """Sync one run's segments that grew; True where any did."""
        grew = False
        for path in self._layout.journal(run).glob("*.rcj"):
            with contextlib.suppress(FileNotFoundError):
                size = path.stat().st_size
                if size == self._sizes.get(path):
                    continue
                fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fdatasync(fd)
                finally:
                    os.close(fd)
                self._sizes[path] = size
                grew = True
        return grew

    def forget(self, run: str) -> None:
        """The run is over."""
        folder = self._layout.journal(run)
        self._sizes = {path: size for path, size in self._sizes.items() if path.parent != folder}


class Supervisor:
    """Looks after the workers.

    Args:
        layout: the runcast directory.
        process: the trainer's lock, or "" where there is none (``runcast deliver``).
        commands: descriptor of the pipe from the trainer, or None.
        once: stop at what there is now, also where a run goes on.
    """

    def __init__(self, layout: Layout, process: str, commands: int | None, *, once: bool = False) -> None:
        self._once = once
        self.workers: dict[str, Worker] = {}
        self._layout = layout
        self._process = process
        self._commands = commands
        self._pending = b""
        self._live: set[str] = set()
        self._syncer = Syncer(layout)
        self._woken = 0.0

    def add(self, run: str, backends: dict[str, dict[str, Any]]) -> None:
        """Take on a run: name of each backend → its options."""
        self._live.add(run)
        for name, options in backends.items():
            if name not in self.workers:
                self.workers[name] = Worker(self._layout, name, once=self._once)
            self.workers[name].add(run, options)

    def run(self) -> None:
        """Work until the trainer is gone and everything is delivered."""
        idle_since = time.monotonic()
        while True:
            self.turn()
            if any(worker.left for worker in self.workers.values()):
                if time.monotonic() - idle_since > LINGER:
                    break
            elif self._trainer_gone():
                break
            if not self._trainer_gone():
                idle_since = time.monotonic()
        self.stop()

    def turn(self) -> None:
        """One round: tend the workers, listen for up to half a second, sync, wake."""
        for worker in self.workers.values():
            worker.tend()
        urgent = self._listen()
        if self._trainer_gone():
            for run in self._live:
                close_dead(self._layout, run)
        grew = [run for run in sorted(self._live) if self._syncer.sync(run)]
        now = time.monotonic()
        if urgent or (grew and now - self._woken >= WAKE) or now - self._woken >= 2 * WAKE:
            self._woken = now
            for worker in self.workers.values():
                worker.wake()
        for run in [run for run in self._live if run not in grew and is_over(self._layout, run)]:
            self._live.discard(run)
            self._syncer.forget(run)

    def stop(self) -> None:
        """End the workers."""
        for worker in self.workers.values():
            worker.stop()

    def _trainer_gone(self) -> bool:
        return not self._process or not is_alive(self._layout.alive, self._process)

    def _listen(self) -> bool:
        """Take in commands and answers; True where the trainer is waiting for delivery."""
        urgent = False
        with selectors.DefaultSelector() as selector:
            if self._commands is not None:
                selector.register(self._commands, selectors.EVENT_READ, None)
            for worker in self.workers.values():
                if worker.output is not None:
                    selector.register(worker.output, selectors.EVENT_READ, worker)
            for key, _ in selector.select(TICK):
                if key.data is None:
                    urgent = self._take_commands() or urgent
                else:
                    key.data.hear()
        return urgent

    def _take_commands(self) -> bool:
        data = os.read(self._commands, 1 << 16) if self._commands is not None else b""
        if not data:
            self._commands = None  # the trainer, and every child of it, has closed the pipe
            return True
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "run" in command:
                self.add(command["run"], command["backends"])
        return True


def main() -> None:
    """Entry point: ``supervisor <dir> <trainer's lock>``."""
    directory, process = sys.argv[1:3]
    with contextlib.suppress(OSError):
        os.nice(10)  # the training goes first
    Supervisor(Layout(directory), process, 0).run()


if __name__ == "__main__":
    main()
