"""What runcast's own backend wrote: the record that an event carries, with the files that it names.

``docs/tensorboard.md`` says where each file is. A folder may come from a stranger: no path leads out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from runcast import codec
from runcast.backends.tensorboard.beside import digest_of, version_folder
from runcast.backends.tensorboard.media.medium import kept
from runcast.errors import Reject
from runcast.formats.tfevents import Event, tensor_strings
from runcast.journal import Blobs
from runcast.records import Artifact, Environment, FileRef, Input, Media, Model, Record, RunStarted
from runcast.sources.tensorboard.folders import RunFolder
from runcast.sources.tensorboard.losses import Losses, passes

_GRAPH = 4  # field of an event
DAMAGED = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, msgspec.MsgspecError)
"""What decoding a record raises that is none."""


class Own:
    """Takes records out of events.

    Args:
        folder: the run's.
        folder_of: runcast's id of a run → its folder in this logdir, if it is there.
        blobs: takes the content of files.
        losses: is told of files that are gone.
    """

    def __init__(
        self, folder: RunFolder, folder_of: Callable[[str], str | None], blobs: Blobs, losses: Losses
    ) -> None:
        self._folder, self._folder_of, self._blobs, self._losses = folder, folder_of, blobs, losses

    def record(self, event: Event) -> Record | None:
        """The event's record; None where it cannot be read, which is counted."""
        try:
            record = codec.decode(event.record)
        except DAMAGED:
            self._losses.add("", "the record that an event carries is damaged, or of a newer runcast")
            return None
        record = msgspec.structs.replace(record, writer="", seq=0)
        if isinstance(record, RunStarted):
            return self._begun(record)
        if isinstance(record, Input) and record.run:
            record = msgspec.structs.replace(record, run=self._folder_of(record.run) or record.run)
        for file, place in _places(record):
            if file.sha256 and not file.uri:
                self._fetch(file, place, event)
        return _without_held(record)

    def _begun(self, record: RunStarted) -> Record:
        facts = self._folder.facts
        parent = facts.parent_folder if facts is not None else None
        if parent is None and record.parent:
            parent = self._folder_of(record.parent) or record.parent
        origin = record.origin or origin_of(self._folder)
        return msgspec.structs.replace(record, run="", parent=parent, base="", backends={}, origin=origin)

    def _fetch(self, file: FileRef, place: str | None, event: Event) -> None:
        try:
            if place is not None and self._fetch_beside(file, place):
                return
        except OSError as error:
            if passes(error):
                raise
            self._losses.add(file.path, f"{place} cannot be read: {error.strerror or error}")
            return
        for content in _contents(event):
            if len(content) == file.size and self._blobs.put_bytes(content)[0] == file.sha256:
                return
        reason = "its content is gone from the run's folder"
        self._losses.add(file.path, f"{reason}: it should be {place}" if place else reason)

    def _fetch_beside(self, file: FileRef, place: str) -> bool:
        root = self._folder.path.resolve()
        path = root / place
        if not path.is_file() or not path.resolve().is_relative_to(root):
            return False
        if self._blobs.put_file(path)[0] != file.sha256:
            self._losses.add(file.path, f"{place} has been changed since it was written; what it was is gone")
        return True


def origin_of(folder: RunFolder) -> dict[str, object]:
    """Where a run comes from, as `RunStarted` says it."""
    return {"tracker": "tensorboard", "id": folder.id, "url": str(folder.path)}


def _places(record: Record) -> Iterator[tuple[FileRef, str | None]]:
    """Each file with its place relative to the run's folder; None where no place can be told."""
    if isinstance(record, Media):
        for file in record.contents:
            yield file, kept(record, file)
    elif isinstance(record, (Artifact, Model, Input, Environment)):
        try:
            folder = _version(record)
        except Reject:
            folder = None
        for file in record.files:
            yield file, None if folder is None or "\0" in file.path else f"{folder}/{file.path}"


def _version(record: Artifact | Model | Input | Environment) -> str:
    if isinstance(record, Artifact):
        return version_folder("artifacts", record.name, record.digest)
    if isinstance(record, Model):
        return version_folder("models", record.name, record.digest)
    if isinstance(record, Input):
        return version_folder("inputs", record.name, digest_of(record.files))
    return f"environment/{digest_of(record.files)[:12]}"


def _contents(event: Event) -> Iterator[bytes]:
    """Everything in an event that may be a file."""
    if _GRAPH in event.other:
        yield event.other[_GRAPH]
    for value in event.values:
        if isinstance(value.value, str):
            yield value.value.encode("utf-8", "surrogatepass")
        elif value.kind == "tensor" and isinstance(value.value, bytes):
            try:
                yield from tensor_strings(value.value)
            except ValueError:
                continue


def _without_held(record: Record) -> Record:
    """A name of a file among somebody else's held ones means nothing here."""
    changes: dict[str, object] = {}
    files: list[FileRef] = getattr(record, "files", [])
    one: FileRef | None = getattr(record, "file", None)
    if any(file.held for file in files):
        changes["files"] = [msgspec.structs.replace(file, held="") for file in files]
    if one is not None and one.held:
        changes["file"] = msgspec.structs.replace(one, held="")
    return msgspec.structs.replace(record, **changes) if changes else record
