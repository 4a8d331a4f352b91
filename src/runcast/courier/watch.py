"""What is recorded of a run beside what its script says: its surroundings once, the machine now and then.

One thread of the courier does it, so that neither a slow ``git`` nor a driver that hangs delays a delivery;
where there is no courier process, a thread of the trainer. The records go into segments of the courier's
own, which have their own writer: nothing is ever written twice under one number. A record that came when
the run was over already is announced by `late`, because the lanes may have let go of the run.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.capture import Job, collect
from runcast.courier.closing import beginnings, is_described, is_over, segments
from runcast.journal import Blobs, JournalReader, JournalWriter, Layout
from runcast.records import Environment, FileRef, Record, System
from runcast.system import Sampler, is_available
from runcast.system.energy import Energy
from runcast.system.nvml import Nvml

FIRST = 2.0
"""Seconds until the first look, or the interval where that is shorter; a short run has one, then."""
OPENING = 100
"""Records among which the script's own word on its surroundings stands."""
LONGEST = 120.0
"""Seconds after which nobody waits for the surroundings any more."""


class _Watched:
    """One run that goes on."""

    def __init__(self, layout: Layout, run: str, job: Job, clock: Callable[[], float]) -> None:
        self.run = run
        self.job = job
        self.writer: JournalWriter | None = None
        self._layout = layout
        self._energy: Energy | None = None
        before = _last_look(layout.journal(run), job.generation)
        folder = Path(job.folder or "/")
        self._sampler = Sampler(job.pid, folder, before=before, nvml=Nvml.load(), clock=clock)
        if job.energy:
            with contextlib.suppress(Exception):  # not installed, or broken: `runcast doctor` says so
                self._energy = Energy(job.energy, before)
        self.due = clock() + min(FIRST, job.interval)

    def look(self) -> dict[str, float]:
        """The numbers now; {} once the trainer is gone."""
        found = self._sampler.look()
        return found | self._energy.look() if found and self._energy is not None else found

    def close(self) -> None:
        self._sampler.close()
        for part in (self._energy, self.writer):
            if part is not None:
                part.close()


class Watch:
    """Looks after the runs of one trainer.

    Args:
        layout: the runcast directory.
        late: called, from the thread, with a run that got a record although it was over.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        layout: Layout,
        late: Callable[[str], None] = lambda run: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._layout = layout
        self._late = late
        self._clock = clock
        self._news = threading.Condition()
        self._new: deque[tuple[str, Job]] = deque()
        self._at_work: str | None = None
        self._since = 0.0
        self._known: set[tuple[str, int]] = set()
        self._watched: dict[str, _Watched] = {}
        self._stopped = False
        self._thread: threading.Thread | None = None

    def add(self, run: str, job: Job) -> None:
        """Take on a run; a second time does nothing."""
        if (run, job.generation) in self._known:
            return
        self._known.add((run, job.generation))
        with self._news:
            self._new.append((run, job))
            self._news.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="runcast-watch", daemon=True)
            self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether the surroundings of some run are still being looked at, in reasonable time."""
        with self._news:
            if self._at_work is not None and self._clock() - self._since > LONGEST:
                return False
            return bool(self._new) or self._at_work is not None

    def settle(self, run: str, timeout: float) -> None:
        """Wait until the surroundings of a run are written down, for `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        with self._news:
            while self._at_work == run or any(name == run for name, _ in self._new):
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._news.wait(left)

    def stop(self) -> None:
        """The trainer is gone: look at the machine no more; what is under way is finished."""
        with self._news:
            self._stopped = True
            self._news.notify_all()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            run, job = taken
            if run:
                with contextlib.suppress(Exception):  # it must neither stop the others nor show
                    self._describe(run, job)
                with self._news:
                    self._at_work = None
                    self._news.notify_all()
            for name in [name for name, watched in self._watched.items() if self._clock() >= watched.due]:
                try:
                    goes_on = self._sample(self._watched[name])
                except Exception:  # a disk that is full, a driver that died: the next look may work
                    goes_on = True
                if not goes_on:
                    self._watched.pop(name).close()
        for watched in self._watched.values():
            watched.close()

    def _next(self) -> tuple[str, Job] | None:
        """The next run to describe; an empty name where a look is due; None at the end."""
        with self._news:
            while not self._new:
                if self._stopped:
                    return None
                due = min((watched.due for watched in self._watched.values()), default=None)
                wait = None if due is None else due - self._clock()
                if wait is not None and wait <= 0:
                    return "", Job()
                self._news.wait(wait)
            run, job = self._new.popleft()
            self._at_work, self._since = run, self._clock()
            return run, job

    def _describe(self, run: str, job: Job) -> None:
        folder = self._layout.journal(run)
        if job.wants_more and not is_described(folder, job.generation):
            values, contents = collect(job)
            blobs = Blobs(self._layout.blobs)
            files = [FileRef(name, *blobs.put_bytes(data)) for name, data in sorted(contents.items())]
            if values or files:
                writer = self._writer(run, job)
                said = Environment(time=_started(folder), values=values, files=files)
                self._append(run, writer, said)
                writer.close()
        if job.interval and not self._stopped and is_available():
            if run in self._watched:  # finished and resumed in one breath
                self._watched.pop(run).close()
            self._watched[run] = _Watched(self._layout, run, job, self._clock)

    def _sample(self, watched: _Watched) -> bool:
        """Write one look down; False where the run is over."""
        if is_over(self._layout, watched.run):
            return False
        watched.due = self._clock() + watched.job.interval
        values = watched.look()
        if not values or is_over(self._layout, watched.run):
            return False
        if watched.writer is None:
            watched.writer = self._writer(watched.run, watched.job)
        return self._append(watched.run, watched.writer, System(time=time.time_ns(), values=values))

    def _writer(self, run: str, job: Job) -> JournalWriter:
        folder = self._layout.journal(run)
        return JournalWriter(folder, run, generation=job.generation, courier=True)

    def _append(self, run: str, writer: JournalWriter, record: Record) -> bool:
        """Whether the run goes on."""
        if not self._layout.journal(run).is_dir():  # deleted: do not make it again
            return False
        writer.append(codec.encode(record))
        if is_over(self._layout, run):
            self._late(run)
            return False
        return True


def _started(folder: Path) -> int:
    """When the script had said what it knows of its surroundings itself, ns since 1970.

    What the courier adds is about the start as well: it comes behind that, and before the last word.
    """
    began = max((first.time for first in beginnings(folder)), default=time.time_ns())
    opening = JournalReader(folder).read(OPENING)
    return max([began, *(record.time for record in opening if isinstance(record, Environment))])


def _last_look(folder: Path, generation: int) -> dict[str, Any]:
    """What an earlier courier of the same trainer saw last."""
    looks = [
        record
        for _, found in segments(folder)
        if found.header.courier and found.header.generation == generation
        for record in found.last
        if isinstance(record, System)
    ]
    return max(looks, key=lambda record: record.time).values if looks else {}
