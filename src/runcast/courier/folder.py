"""What is kept on disk about the delivery of one run to one backend.

::

    cursor.json     how far the tracker has acknowledged, and the backend's memory; written after it
    report.json     what the tracker got in another form, or not at all
    made.jsonl      parts of the run that have an id of their own in the tracker
    rejected.jsonl  records that the tracker will never take, with the reason
    status.json     what is going on, for people
    lock            held by the one courier that works on it
    state/          the backend's own files

Only the cursor decides what is sent. All else can be lost without harm.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from runcast import codec
from runcast.journal import Position, make_private, write_atomically
from runcast.receipts import Change, Made, Ref
from runcast.records import Record

_LOOK = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAKE = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_LARGEST = 1 << 30  # bytes of a file of ours

State = Literal["waiting", "delivering", "retrying", "paused", "delivered"]


class Cursor(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far one backend has come with one run.

    Attributes:
        position: everything before it was acknowledged.
        records: how many records were acknowledged.
        rejected: how many of those the tracker will never take.
        ref: where the run is in the tracker.
        state: the backend's memory, saved in one step with the position.
        started: the run's first record, as JSON.
        finished: nothing was left, and every writer had finished.
    """

    position: Position = msgspec.field(default_factory=Position)
    records: int = 0
    rejected: int = 0
    ref: Ref | None = None
    state: dict[str, Any] = {}
    started: str = ""
    finished: bool = False


class DeliveryStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is going on between one run and one backend.

    Attributes:
        state: ``paused`` needs a person (see `error`); ``delivered``: all there is.
        error: the last error, with its mend; cleared by a success.
        failures: in a row.
        retry_at: ns since 1970 of the next attempt.
        time: ns since 1970 when this was written.
    """

    state: State = "waiting"
    error: str = ""
    failures: int = 0
    retry_at: int = 0
    time: int = 0


class Report(msgspec.Struct, omit_defaults=True):
    """What the tracker got in another form, and what was unreadable in the journal.

    Attributes:
        cut: there were more changes than are listed.
    """

    changes: list[Change] = []
    damage: list[str] = []
    cut: bool = False


class DeliveryFolder:
    """The files above; one courier at a time may write them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def is_linked(self) -> bool:
        """Whether a link stands somewhere between the run's folder and this one; runcast makes none."""
        return any(
            path.is_symlink() for path in (self.path, *list(self.path.parents)[:2], self.path / "state")
        )

    def acquire(self) -> bool:
        """Become the one courier that works here; False where another one lives."""
        if self._lock >= 0:
            return True
        make_private(self.path)
        fd = os.open(self.path / "lock", _MAKE, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        self._lock = fd
        return True

    def is_held(self) -> bool:
        """Whether a courier works here, this process's own included."""
        try:
            fd = os.open(self.path / "lock", _LOOK)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared, so that two who look agree
        except OSError:
            return True
        finally:
            os.close(fd)
        return False

    def release(self) -> None:
        """Let another courier work here."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def state_folder(self) -> Path:
        """The backend's own folder."""
        folder = self.path / "state"
        make_private(folder)
        return folder

    def load_cursor(self) -> Cursor:
        """The saved cursor; a lost or damaged one begins anew, because redelivery is harmless."""
        return _load(self.path / "cursor.json", Cursor)

    def save_cursor(self, cursor: Cursor) -> None:
        """Durably, in one step."""
        write_atomically(self.path / "cursor.json", codec.to_json(cursor))

    def load_status(self) -> DeliveryStatus:
        """The last written status."""
        return _load(self.path / "status.json", DeliveryStatus)

    def save_status(self, status: DeliveryStatus) -> None:
        """For people only: not synced, and a full disk must not stop delivery."""
        with contextlib.suppress(OSError):
            write_atomically(self.path / "status.json", codec.to_json(status), sync=False)

    def load_report(self) -> Report:
        """What was changed so far."""
        return _load(self.path / "report.json", Report)

    def save_report(self, report: Report) -> None:
        """Before the cursor, so that no change goes unreported."""
        write_atomically(self.path / "report.json", codec.to_json(report), sync=False)

    def add_rejected(self, rejected: Iterable[tuple[Record, str]]) -> None:
        """Keep records that the tracker will never take, durably; a crash may repeat them."""
        lines = []
        for record, reason in rejected:
            entry = {"reason": reason, "record": json.loads(codec.encode(record))}
            lines.append(json.dumps(entry).encode() + b"\n")
        self._append("rejected.jsonl", lines)

    def load_rejected(self) -> list[dict[str, Any]]:
        """``{"reason", "record"}`` of each rejected record, each once."""
        return [entry for entry in self._lines("rejected.jsonl") if _is_rejected(entry)]

    def add_made(self, made: Iterable[Made]) -> None:
        """Keep what got an id in the tracker, durably, before the cursor; a crash may repeat it."""
        self._append("made.jsonl", [codec.to_json(one) + b"\n" for one in made])

    def load_made(self) -> list[Made]:
        """Each part of the run that has an id in the tracker, once."""
        found = []
        for entry in self._lines("made.jsonl"):
            with contextlib.suppress(msgspec.ValidationError):
                found.append(msgspec.convert(entry, Made))
        return found

    def _append(self, name: str, lines: list[bytes]) -> None:
        fd = os.open(self.path / name, _MAKE | os.O_APPEND, 0o600)
        with os.fdopen(fd, "r+b") as file:
            if file.seek(0, os.SEEK_END) and os.pread(fd, 1, file.tell() - 1) != b"\n":
                file.write(b"\n")  # a full disk, or a crash, cut the last line short
            file.writelines(lines)
            file.flush()
            os.fdatasync(fd)

    def _lines(self, name: str) -> list[Any]:
        try:
            lines = _read(self.path / name).split(b"\n")
        except OSError:
            return []
        entries = []
        for line in dict.fromkeys(filter(None, lines)):
            with contextlib.suppress(ValueError, RecursionError):  # cut short; it was written again behind
                entries.append(json.loads(line))
        return entries


def _is_rejected(entry: Any) -> bool:
    """Whether a line of ``rejected.jsonl`` is one of ours."""
    if not isinstance(entry, dict) or not isinstance(entry.get("reason"), str):
        return False
    record = entry.get("record")
    return isinstance(record, dict) and isinstance(record.get("values", {}), dict)


T = TypeVar("T", "Cursor", "DeliveryStatus", "Report")


def _load(path: Path, type_: type[T]) -> T:
    try:
        return codec.from_json(_read(path), type_)
    except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
        return type_()


def _read(path: Path) -> bytes:
    """A plain file as a whole: links, pipes and what is absurdly large are not ours.

    Raises:
        OSError: it cannot be read, or is none.
    """
    fd = os.open(path, _LOOK)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise OSError(errno.EINVAL, "is no file of runcast's", str(path))
        return file.read()
