"""The hot end of the journal: bytes of a record in, one ``write(2)`` out.

Invariants:
- A segment has one writer, is created exclusively and never opened again; nothing is ever edited.
- Numbers are given out in order, without gaps. After a short write or an error the segment is left
  as it is, the next one is opened and the *whole* record is written again under the same number.
- `append` never raises because of the disk. While the disk refuses, records wait in memory, up to
  `RING_BYTES`; the oldest expendable ones (metrics, media) go first. What went is counted in a
  ``lost`` record as soon as the disk is back.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from runcast import codec
from runcast.journal.fileops import FileOps
from runcast.journal.frame import Header, frame, frame_header, seed
from runcast.journal.layout import make_private
from runcast.records import Lost

SEGMENT_BYTES = 64 << 20
RING_BYTES = 16 << 20
RETRY_SECONDS = 1.0

_writers: weakref.WeakSet[JournalWriter] = weakref.WeakSet()


class JournalWriter:
    """Writes one process's records of one run.

    Args:
        folder: the run's journal folder.
        run, process, generation: see `Header`.
        courier: True where a courier speaks for a dead process.
        sync: bring each record to the disk itself before returning.
        on_trouble: called with a message, once per outage of the disk and once when it is over.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        *,
        process: str = "",
        generation: int = 0,
        courier: bool = False,
        sync: bool = False,
        ops: FileOps | None = None,
        clock: Callable[[], float] = time.monotonic,
        on_trouble: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._folder = folder
        self._run = run
        self._process = process
        self._generation = generation
        self._courier = courier
        self._sync = sync
        self._ops = ops or FileOps()
        self._clock = clock
        self._on_trouble = on_trouble
        self.lost = 0
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        """A fresh identity, with nothing written yet."""
        self.writer = os.urandom(8).hex()
        self._seed = seed(self.writer)
        self._lock = threading.Lock()
        self._owner = 0
        self._nested: list[tuple[bytes, bool]] = []
        self._seq = 0
        self._segment = 0
        self._fd = -1
        self._room = 0
        self._write = self._ops.write
        self._ring: list[tuple[int, bytes, bool]] = []
        self._ring_bytes = 0
        self._retry_at = 0.0
        self._unreported = 0

    @property
    def seq(self) -> int:
        """Number of the last record."""
        return self._seq

    @property
    def waiting(self) -> int:
        """Records that wait in memory because the disk refuses them."""
        return len(self._ring)

    def append(self, payload: bytes, *, expendable: bool = False) -> None:
        """Put one record into the kernel.

        Args:
            payload: the record's JSON, see `runcast.codec.encode`.
            expendable: may be dropped, and counted, where neither disk nor memory has room.
        """
        if not self._lock.acquire(False):
            if self._owner == threading.get_ident():
                # A signal handler, or ``__del__``, logs while this thread is logging: let that finish.
                self._nested.append((payload, expendable))
                return
            self._lock.acquire()
        try:
            self._owner = threading.get_ident()
            self._append(payload, expendable)
            while self._nested:
                self._append(*self._nested.pop(0))
        finally:
            self._owner = 0
            self._lock.release()

    def _append(self, payload: bytes, expendable: bool) -> None:
        self._seq = seq = self._seq + 1
        line = frame(seq, payload, self._seed)
        size = len(line)
        if size <= self._room:  # open, healthy, and no record waits
            try:
                done = self._write(self._fd, line)
            except OSError:
                done = -1
            if done == size:
                self._room -= size
                if self._sync:
                    self._sync_now()
                return
        self._hold(seq, line, expendable)
        self._drain()

    def _sync_now(self) -> None:
        try:
            self._ops.sync(self._fd)
        except OSError as error:
            # Linux reports a failed write-back once and forgets it: never trust this file again.
            self._abandon()
            self._on_trouble(f"{self._folder}: {error.strerror}; continuing in a new segment")

    def _hold(self, seq: int, line: bytes, expendable: bool) -> None:
        self._ring.append((seq, line, expendable))
        self._ring_bytes += len(line)
        while self._ring_bytes > RING_BYTES:
            for index, (_, held, may_go) in enumerate(self._ring):
                if may_go:
                    del self._ring[index]
                    self._ring_bytes -= len(held)
                    self._unreported += 1
                    self.lost += 1
                    break
            else:
                return  # only what may never be dropped: keep it, whatever it weighs

    def _drain(self) -> None:
        """Write what waits into a new segment; on failure try again a second later."""
        now = self._clock()
        if now < self._retry_at:
            return
        was_down = self._retry_at > 0.0
        try:
            self._open_next(max(SEGMENT_BYTES, 2 * self._ring_bytes))
            if self._unreported:
                self._report_loss()
            while self._ring:
                line = self._ring[0][1]
                if self._write(self._fd, line) != len(line):
                    raise OSError(28, os.strerror(28))
                self._room -= len(line)
                self._ring_bytes -= len(line)
                del self._ring[0]
        except OSError as error:
            self._abandon()
            self._retry_at = now + RETRY_SECONDS
            if not was_down:
                self._on_trouble(
                    f"{self._folder}: {error.strerror or error}; records wait in memory "
                    f"({RING_BYTES >> 20} MiB): free space or make the folder writable"
                )
            return
        self._retry_at = 0.0
        if self._sync:
            self._sync_now()
        if was_down:
            self._on_trouble(f"{self._folder}: writable again; {self.lost} records were lost meanwhile")

    def _report_loss(self) -> None:
        self._seq += 1
        reason = "the disk refused to write and memory was full: free space in runcast's folder"
        payload = codec.encode(Lost(time=time.time_ns(), key="", reason=reason, count=self._unreported))
        line = frame(self._seq, payload, self._seed)
        self._unreported = 0
        self._ring.append((self._seq, line, False))
        self._ring_bytes += len(line)

    def _open_next(self, room: int) -> None:
        self._abandon()
        make_private(self._folder)
        header = Header(
            run=self._run,
            writer=self.writer,
            segment=self._segment,
            generation=self._generation,
            process=self._process,
            pid=os.getpid(),
            host=socket.gethostname(),
            boot=_boot_id(),
            created=time.time_ns(),
            courier=self._courier,
        )
        path = self._folder / f"{self.writer}-{self._segment:04d}.rcj"
        self._segment += 1
        fd = self._ops.create(path)
        line = frame_header(header)
        try:
            if self._write(fd, line) != len(line):
                raise OSError(28, os.strerror(28))
        except OSError:
            self._ops.close(fd)
            path.unlink(missing_ok=True)  # nothing was acknowledged in it
            raise
        self._fd = fd
        self._room = room

    def _abandon(self) -> None:
        if self._fd >= 0:
            fd, self._fd, self._room = self._fd, -1, 0
            try:
                self._ops.close(fd)
            except OSError as error:
                self._on_trouble(f"{self._folder}: closing a segment: {error.strerror}")

    def close(self) -> None:
        """Write what still waits, and give the descriptor back."""
        with self._lock:
            if self._ring:
                self._retry_at = min(self._retry_at, self._clock())
                self._drain()
            self._abandon()

    def _after_fork(self) -> None:
        """In the child: the parent's segment, lock and waiting records are not ours."""
        if self._fd >= 0:
            os.close(self._fd)
        self._begin()


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
