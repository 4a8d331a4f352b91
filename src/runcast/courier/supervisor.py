"""The courier process: one per training process, however many runs that opens.

It brings live segments, and the files that their records name, to the disk every half second, wakes the
workers when there is news, kills a worker that hangs, notices that the trainer is dead, says ``crashed``
for it, and stays until everything is delivered. Standard input, one JSON object a line:
``{"run", "backends", "job"}`` announces a run, ``{"env"}`` changes its environment, ``{}`` asks to deliver
now.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec

from runcast.capture import Job
from runcast.courier.closing import close_dead, has_living_writer, is_over
from runcast.courier.syncing import FileSyncer, Syncer
from runcast.courier.watch import Watch
from runcast.courier.workers import Worker
from runcast.errors import JournalError
from runcast.journal import Layout, is_alive

TICK = 0.5
"""Seconds between two syncs of the live segments: the promise for a loss of power."""
WAKE = 5.0
"""Seconds between two deliveries while the script goes on; fuller batches cost the machine less."""
LINGER = 3600.0
"""Seconds without any progress after the trainer's end before the rest is left to ``runcast deliver``."""


class Supervisor:
    """Looks after the workers.

    Args:
        layout: the runcast directory.
        process: the trainer's lock, or "" where there is none (``runcast deliver``).
        commands: descriptor of the pipe from the trainer, or None.
        once: stop at what there is now, also where a run goes on.
        closing: say ``crashed`` for writers that are dead, and bring segments to the disk; not where the
            journals are copies, whole and synced, of runs that may still go on elsewhere.
        environment: of the workers; as it is when they start where left out.
    """

    def __init__(
        self,
        layout: Layout,
        process: str,
        commands: int | None,
        *,
        once: bool = False,
        closing: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = environment
        self._once = once
        self._closing = closing
        self.workers: dict[str, Worker] = {}
        self._layout = layout
        self._process = process
        self._commands = commands
        self._pending = b""
        self._live: set[str] = set()
        self._syncer = Syncer(layout)
        self._files = FileSyncer(layout)
        self._late: deque[str] = deque()
        self._watch = Watch(layout, self._late.append)
        self._backends: dict[str, dict[str, dict[str, Any]]] = {}
        self._woken = self._looked = -math.inf

    def add(self, run: str, backends: dict[str, dict[str, Any]]) -> None:
        """Take on a run: name of each backend → its options."""
        self._live.add(run)
        self._backends[run] = backends
        for name, options in backends.items():
            if name not in self.workers:
                self.workers[name] = Worker(
                    self._layout, name, once=self._once, environment=self._environment
                )
            self.workers[name].add(run, options)

    def run(self) -> None:
        """Work until the trainer is gone and everything is delivered."""
        idle_since, done = time.monotonic(), 0
        while True:
            self.turn()
            gone = self._trainer_gone()
            if gone:
                self._watch.stop()
            if gone and not self._is_busy():
                break
            before, done = done, sum(worker.done for worker in self.workers.values())
            if not gone or done != before:
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > LINGER:
                break
        self.stop()
        if self._process and gone:  # nobody asks for it any more
            with contextlib.suppress(OSError):
                (self._layout.alive / self._process).unlink()

    def _is_busy(self) -> bool:
        # In this order: what is late has been announced before the watch is idle.
        return self._watch.busy or bool(self._late) or any(worker.left for worker in self.workers.values())

    def turn(self) -> None:
        """One round: tend the workers, listen for up to half a second, sync, wake."""
        while self._late:  # the lanes may have let go of it
            run = self._late.popleft()
            self.add(run, self._backends[run])
        for worker in self.workers.values():
            worker.tend()
        urgent = self._listen()
        now = time.monotonic()
        if not urgent and now - self._looked < TICK:
            return  # a busy worker has much to say
        self._looked = now
        grew = self._look()
        if grew:
            self._files.wake()
        if urgent or (grew and now - self._woken >= WAKE) or now - self._woken >= 2 * WAKE:
            self._woken = now
            for worker in self.workers.values():
                worker.wake(urgent)

    def _look(self) -> bool:
        """Sync what grew, close what died, let go of what is over; True where anything grew."""
        gone = self._trainer_gone()
        grew = False
        if not self._closing:
            grew = bool(self._live)
            self._live.clear()
        for run in sorted(self._live):
            with contextlib.suppress(OSError, JournalError):  # a disk that fails now may not later
                if gone:
                    close_dead(self._layout, run)
                if self._syncer.sync(run):
                    grew = True
                elif is_over(self._layout, run):
                    self._live.discard(run)
                    self._syncer.forget(run)
        if gone and not self._once:
            self._let_go()
        return grew

    def _let_go(self) -> None:
        """Tell the workers of runs to which nobody can write any more: their folder may even be gone."""
        runs = {run for worker in self.workers.values() for run in worker.runs()}
        for run in runs:
            with contextlib.suppress(OSError, JournalError):
                if not has_living_writer(self._layout, run):
                    for worker in self.workers.values():
                        worker.end(run)

    def stop(self) -> None:
        """End the workers."""
        for worker in self.workers.values():
            worker.stop()
        self._files.stop()

    def _trainer_gone(self) -> bool:
        if not self._process:  # `runcast deliver`; or a full disk had no room for the trainer's lock
            return self._commands is None
        return not is_alive(self._layout.alive, self._process)

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
            if command.get("env"):
                _set_environment(command["env"])
                for worker in self.workers.values():
                    worker.renew()
            if "run" in command:
                self.add(command["run"], command["backends"])
                if "job" in command:
                    self._watch.add(command["run"], msgspec.convert(command["job"], Job))
        return True


def _set_environment(changed: dict[str, str | None]) -> None:
    """What the script changed since; workers that start from now on see it."""
    for name, value in changed.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def main() -> None:
    """Entry point: ``supervisor <dir> <trainer's lock>``."""
    directory, process = sys.argv[1:3]
    if os.fork():
        os._exit(0)  # so the courier is no child of the trainer, which may wait for all of its own
    with contextlib.suppress(OSError):
        os.nice(10)  # the training goes first
    Supervisor(Layout(directory), process, 0).run()


if __name__ == "__main__":
    main()
