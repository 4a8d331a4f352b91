"""One media value on its way into TensorBoard: what its form may look at, and what it comes to."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from runcast.backends.tensorboard.beside import blob, place
from runcast.backends.tensorboard.folder import safe
from runcast.errors import Reject
from runcast.plugins import Change, OpenRun
from runcast.records import FileRef, Media

_LARGEST = 256 << 20
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,12}){1,2}\Z")


T = TypeVar("T")


class Medium:
    """What one record comes to; a form fills it, see `runcast.backends.tensorboard.media.FORMS`.

    Attributes:
        record: the value.
        tag: its legal tag.
        values: values of the event's summary.
        tags: the tags of `values`.
        words: Markdown paragraphs, shown in the text dashboard.
        verbatim: whether `words` are the content itself, and so must be nothing else.
        changes: for the receipt.
        graph: a serialized ``GraphDef``, which takes the place of a summary.
        embedding: what the projector is to be told.
    """

    def __init__(self, run: OpenRun, root: Path, record: Media, name: Callable[[str], str]) -> None:
        self.record, self.tag, self.name = record, name(record.key), name
        self._run, self._root = run, root
        self.clear()

    def clear(self) -> None:
        """Forget what a form has said so far."""
        self.values: list[bytes] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self.verbatim = False
        self.changes: list[Change] = []
        self.graph = b""
        self.embedding: dict[str, Any] = {}

    def show(self, tag: str, *values: bytes) -> None:
        """Put values under a tag of their own."""
        self.tags.append(tag)
        self.values += values

    def degraded(self, detail: str) -> None:
        """Tell of a lesser form."""
        self.changes.append(Change("degraded", self.record.key, detail))

    def spilled(self, detail: str) -> None:
        """Tell of something that stands in a file."""
        self.changes.append(Change("spilled", self.record.key, detail))

    def path(self, file: FileRef) -> Path:
        """Where the content of a file is.

        Raises:
            ValueError: it stays elsewhere, or is too large for an event.
            Reject: it should be there, and is not.
        """
        if file.uri:
            raise ValueError(f"its content stays at {file.uri}")
        if file.size > _LARGEST:
            raise ValueError(f"{file.size >> 20} MiB are more than TensorBoard can show")
        return blob(self._run, file, f"{self.record.type} {self.record.key!r}")

    def read(self, file: FileRef) -> bytes:
        """The content of a file."""
        return self.path(file).read_bytes()

    def content(self) -> FileRef:
        """The one file of a value.

        Raises:
            ValueError: it has none.
        """
        if not self.record.contents:
            raise ValueError("it has no file")
        return self.record.contents[0]

    def keep(self, file: FileRef) -> str:
        """Keep a file beside the events; where it is, relative to the run's folder."""
        if file.uri:
            return file.uri
        path = kept(self.record, file)
        folder, _, name = path.rpartition("/")
        renamed = FileRef(name, file.sha256, file.size)
        place(self._run, self._root, folder, f"{self.record.type} {self.record.key!r}", [renamed])
        return path

    def beside(self, name: str) -> Path:
        """A place for a file made of the value's own, next to those that are kept."""
        return self._root / name


def rendered(make: Callable[[], T]) -> T:
    """What `runcast.render` makes; content that it refuses is kept without being shown.

    Raises:
        ValueError: it refuses.
    """
    try:
        return make()
    except Reject as error:
        raise ValueError(str(error)) from None


def kept(record: Media, file: FileRef) -> str:
    """Where a file of a value stands, if not in the event itself; relative to the run's folder."""
    suffix = _SUFFIX.search(file.path)
    name = f"{record.step}-{file.sha256[:16]}{suffix[0] if suffix else ''}"
    return f"media/{safe(record.key)}/{name}"
