"""The hot end of the journal: bytes of a record in, one ``write(2)`` out.

Invariants:
- A segment has one writer, is created exclusively and never opened again; nothing is ever edited.
- A record gets its number when it is written, in order and without gaps. After a short write or an
  error the segment is left as it is, the next one is opened and the *whole* record is written again
  under the same number.
- `append` never raises because of the disk. While the disk refuses, records wait in memory, up to
  `RING_BYTES`; the oldest expendable ones (metrics, media) go first. What went is counted in a
  ``lost`` record as soon as the disk is back.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import threading
import time
import weakref
from binascii import hexlify
from collections import deque
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from zlib import crc32

from runcast import codec
from runcast.journal.fileops import FileOps, sync_names
from runcast.journal.frame import Header, frame, frame_header, frame_many, seed
from runcast.journal.layout import make_private
from runcast.journal.ring import Ring
from runcast.records import Lost

SEGMENT_BYTES = 64 << 20
RING_BYTES = 16 << 20
SLICE_BYTES = 16 << 10
"""After so many bytes the writer looks whether its segment has been deleted."""
RETRY_SECONDS = 1.0
SYNC_RETRY_SECONDS = 60.0

_WORD = 1 << 32
_pack = Struct(">III").pack

_writers: weakref.WeakSet[JournalWriter] = weakref.WeakSet()


class JournalWriter:
    """Writes one process's records of one run. Safe in threads, signal handlers and after ``fork``.

    Args:
        folder: the run's journal folder.
        run, process, generation: see `Header`.
        courier: True where a courier speaks, see `Header`.
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
        on_slice: Callable[[], None] = lambda: None,
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
        self._on_slice = on_slice
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        """A fresh identity, with nothing written yet."""
        self.writer = os.urandom(8).hex()
        self.lost = 0
        self._seed = seed(self.writer)
        # Re-entrant, because a signal handler may log between any two steps of `append`.
        self._lock = threading.RLock()
        self._busy = False
        self._nested: deque[tuple[bytes, bool]] = deque()
        self._seq = 0
        self._segment = 0
        self._path = self._folder
        self._fd = -1
        self._room = 0  # bytes that may be written before the next look; 0 unless open and nothing waits
        self._left = 0  # bytes that fit into the segment beyond `_room`
        self._write = self._ops.write
        self._ring = Ring(RING_BYTES)
        self._unreported = 0
        self._down = False
        self._retry_at = 0.0
        self._sync_retry_at: float | None = None  # set while the disk takes data but cannot sync

    @property
    def seq(self) -> int:
        """Number of the last record; what waits is counted as if it were written."""
        return self._seq + len(self._ring)

    @property
    def waiting(self) -> int:
        """Records that wait in memory because the disk refuses them."""
        return len(self._ring)

    def append(self, payload: bytes, expendable: bool = False) -> None:
        """Put one record into the kernel.

        Args:
            payload: the record's JSON, see `runcast.codec.encode`.
            expendable: may be dropped, and counted, where neither disk nor memory has room.
        """
        lock = self._lock
        try:
            lock.acquire()  # spelled out, here and below: as `with` and as calls it would cost 5 % more
            if self._busy:
                # A signal handler, or ``__del__``, logs while this thread is logging: let that finish.
                self._nested.append((payload, expendable))
                return
            self._busy = True
            try:
                seq = self._seq + 1
                size = len(payload)
                if seq + size < _WORD:  # `frame.frame`, spelled out
                    numbers = hexlify(_pack(seq, size, crc32(payload, self._seed ^ seq)), b" ", 4)
                    line = b"00000000%b %b\n" % (numbers, payload)
                else:
                    line = frame(seq, payload, self._seed)
                size = len(line)
                if size > self._room and not self._more_room(size):
                    self._hold(payload, expendable)
                    return
                try:
                    if self._write(self._fd, line) == size and (not self._sync or self._synced()):
                        self._seq = seq
                        self._room -= size
                        return
                except OSError:
                    pass
                except BaseException:  # Ctrl-C: nobody knows whether the line is whole
                    if self._seq < seq:
                        self._ring.push(payload, expendable=False)
                        self._abandon()
                    raise
                self._hold(payload, False)  # it may be whole on the disk: its number is taken
            finally:
                self._busy = False
                if self._nested:
                    self._append_nested()
        finally:
            try:  # noqa: SIM105  # as a context manager it would cost more than the rest
                lock.release()
            except RuntimeError:  # Ctrl-C while it waited for another thread
                pass

    def append_many(self, payloads: list[bytes]) -> None:
        """`append` of each in turn, in one call to the kernel where the segment has room for all of them."""
        with self._lock:
            if not self._busy and not self._sync:
                self._busy = True
                try:
                    if self._write_many(payloads):
                        return
                finally:
                    self._busy = False
                    if self._nested:
                        self._append_nested()
            for payload in payloads:
                self.append(payload)

    def _write_many(self, payloads: list[bytes]) -> bool:
        """Whether all of them are written; else none of them has its number yet."""
        first = self._seq + 1
        lines = frame_many(first, payloads, self._seed)
        if len(lines) > self._room and not self._more_room(len(lines)):
            return False
        try:
            if self._write(self._fd, lines) == len(lines):
                self._seq += len(payloads)
                self._room -= len(lines)
                return True
            self._abandon()  # its end is torn, so they come again in the next segment
        except OSError:
            self._abandon()
        except BaseException:  # Ctrl-C: nobody knows what is whole
            for payload in payloads if self._seq < first else ():
                self._ring.push(payload, expendable=False)
            self._abandon()
            raise
        return False

    def _append_nested(self) -> None:
        while True:
            try:  # a handler that comes right now may take them first
                payload, expendable = self._nested.popleft()
            except IndexError:
                return
            self.append(payload, expendable=expendable)

    def _hold(self, payload: bytes, expendable: bool) -> None:
        dropped = self._ring.push(payload, expendable=expendable)
        self._unreported += dropped
        self.lost += dropped
        self._drain()

    def _more_room(self, size: int) -> bool:
        """Allow the next slice, where the segment has room and has not been deleted."""
        left = self._left + self._room
        if self._fd < 0 or left < size or len(self._ring):
            return False
        try:
            deleted = os.fstat(self._fd).st_nlink == 0 and not self._path.exists()
        except OSError:
            return False
        if deleted:
            self._tell(f"{self._path.name} was deleted while in use, with all it held; going on in a new one")
            return False
        self._on_slice()
        self._room = min(left, max(size, SLICE_BYTES))
        self._left = left - self._room
        return True

    def _drain(self) -> None:
        """Write what waits into a new segment; where that fails, try again a second later."""
        if self._down and self._clock() < self._retry_at:
            return
        before = self._seq
        try:
            self._open_next()
            self._write_waiting()
        except OSError as error:
            created = self._fd >= 0
            self._abandon()
            if created and self._seq == before:  # not one whole record in it: give its bytes back
                with contextlib.suppress(OSError):
                    self._path.unlink()
            self._retry_at = self._clock() + RETRY_SECONDS
            if not self._down:
                self._down = True
                self._tell(
                    f"{error.strerror or error}; records wait in memory ({RING_BYTES >> 20} MiB): "
                    "free space or make the folder writable"
                )
            return
        if self._down:
            self._down = False
            self._tell(f"writable again; {self.lost} records were lost so far")
        if self._sync:
            self._sync_new_segment()

    def _write_waiting(self) -> None:
        self._ring.settle()  # where an interrupt left off
        while len(self._ring) or self._unreported:
            if not len(self._ring):
                self._ring.push(self._loss(), expendable=False)
                self._unreported = 0
            seq = self._seq + 1
            ticket, payload = self._ring.first()
            line = frame(seq, payload, self._seed)
            self._write_whole(line)
            self._seq, self._ring.done = seq, ticket
            self._ring.settle()
            self._left -= len(line)

    def _write_whole(self, line: bytes) -> None:
        if self._write(self._fd, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _loss(self) -> bytes:
        reason = "the disk refused to write and memory was full: free space in runcast's folder"
        return codec.encode(Lost(time=time.time_ns(), key="", reason=reason, count=self._unreported))

    def _open_next(self) -> None:
        self._abandon()
        header = Header(
            run=self._run,
            writer=self.writer,
            segment=self._segment,
            generation=self._generation,
            process=self._process,
            pid=os.getpid(),
            host=os.uname().nodename,
            boot=_boot_id(),
            created=time.time_ns(),
            courier=self._courier,
        )
        # A number is never used again, so a reader that saw a file that was given up is not misled.
        self._path = self._folder / f"{self.writer}-{self._segment:04d}.rcj"
        self._segment += 1
        make_private(self._folder)
        self._fd = self._ops.create(self._path)
        self._left = SEGMENT_BYTES
        self._write_whole(frame_header(header))

    def _abandon(self) -> None:
        if self._fd >= 0:
            fd, self._fd, self._room, self._left = self._fd, -1, 0, 0
            try:
                self._ops.close(fd)
            except OSError as error:
                if not self._down:
                    self._tell(f"closing {self._path.name}: {error.strerror}; its end may be lost")

    def _synced(self) -> bool:
        """Whether the segment's data is on the disk, or need not be for now.

        After a failure it is tried anew in a new segment only: Linux reports a failed write-back once
        and forgets it, so a second try on the same file proves nothing.
        """
        if self._sync_retry_at is not None:
            return self._clock() < self._sync_retry_at
        try:
            self._ops.sync(self._fd)
        except OSError as error:
            self._sync_failed(error, self._clock())
            return False
        return True

    def _sync_new_segment(self) -> None:
        was_failing = self._sync_retry_at is not None
        try:
            self._ops.sync(self._fd)
            sync_names(self._folder, self._ops)
        except OSError as error:
            self._sync_failed(error, self._clock() + SYNC_RETRY_SECONDS)
            return
        self._sync_retry_at = None
        if was_failing:
            self._tell("fsync works again")

    def _sync_failed(self, error: OSError, retry_at: float) -> None:
        if self._sync_retry_at is None:
            self._tell(f"{error.strerror} on fsync; until it works, a loss of power can cost records")
        self._sync_retry_at = retry_at

    def _tell(self, message: str) -> None:
        with contextlib.suppress(Exception):  # a warning that was made an error must not stop training
            self._on_trouble(f"{self._folder}: {message}")

    def close(self) -> None:
        """Write what still waits, and give the descriptor back. A later `append` opens a new segment."""
        with self._lock:
            if self._busy:  # a signal handler in the midst of `append`, which needs the descriptor
                return
            if len(self._ring):
                self._retry_at = self._clock()
                self._drain()
            self._abandon()
            if len(self._ring):
                self._tell(f"{len(self._ring)} records could not be written: they go with this process")

    def _after_fork(self) -> None:
        """In the child: the parent's segment, lock and waiting records are not ours."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._begin()


@functools.cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
