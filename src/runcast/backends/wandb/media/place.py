"""One media value on its way to W&B: its files go below ``files/``, what stands for it into the row."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from runcast.backends.wandb import spelling
from runcast.backends.wandb.runfiles import store
from runcast.backends.wandb.transcript import Transcript
from runcast.errors import Reject
from runcast.formats import wandb_log
from runcast.plugins import Change, OpenRun
from runcast.records import FileRef, Media

KEPT = "runcast/media"
"""Below ``files/``: contents that W&B cannot show, or shows only in part."""
CAPTION, METADATA = "runcast/caption/", "runcast/metadata/"
"""Columns of the history, before the value's key."""


class Place:
    """Where one value goes.

    Args:
        record: the value.
        key: its name as W&B takes it.
        run: the run, with its blobs.
        where: the run as W&B knows it.
        transcript: takes the log's records.

    Attributes:
        changes: what W&B got in another form.
        columns: key → JSON text, of what goes beside the value into its row.
    """

    def __init__(
        self, record: Media, key: str, run: OpenRun, where: wandb_log.Run, transcript: Transcript
    ) -> None:
        self.record = record
        self.key = key
        self.where = where
        self.transcript = transcript
        self.changes: list[Change] = []
        self.columns: dict[str, str] = {}
        self.folder = Path(run.state["folder"])
        self._placed: dict[str, str] = {}
        self._run = run

    def source(self, file: FileRef) -> Path:
        """The blob of a file.

        Raises:
            Reject: it has no content in the journal.
        """
        try:
            blob = self._run.blob(file)
        except Reject as error:
            raise Reject(f"wandb: {self.record.type} {self.record.key!r}: {error}") from error
        if not blob.is_file():
            what = f"wandb: {self.record.type} {self.record.key!r}"
            raise Reject(f"{what}: the content of {file.path!r} is gone from the journal: log it again")
        return blob

    def head(self, file: FileRef) -> bytes:
        """The first bytes of a file's content, which tell its format."""
        with self.source(file).open("rb") as stream:
            return stream.read(32)

    def write(self, folder: str, extension: str, content: bytes, key: str | None = None) -> dict[str, Any]:
        """A file of W&B's, made here: its digest, size and path as the row wants them."""
        sha256 = hashlib.sha256(content).hexdigest()
        return self._put(folder, extension, sha256, len(content), content, key)

    def copy(self, folder: str, extension: str, file: FileRef) -> dict[str, Any]:
        """A file of W&B's that is the script's own, as `write`."""
        source = self.source(file)
        return self._put(folder, extension, file.sha256, source.stat().st_size, source, None)

    def keep(self, file: FileRef) -> str:
        """Keep a content that W&B cannot show below ``files/``; returns its path there."""
        name = spelling.path(file.path).replace("/", "_")
        path = f"{KEPT}/{file.sha256[:20]}/{name}"
        store(self.folder / "files" / path, self.source(file))
        self.transcript.say(wandb_log.Files(paths=[path], now=True))
        self._placed[file.sha256] = path
        return path

    def place_of(self, file: FileRef) -> str:
        """Where below ``files/`` a content is as it was; it is kept, where W&B got it in another form."""
        return self._placed.get(file.sha256) or self.keep(file)

    def lesser(self, detail: str, what: Literal["degraded", "spilled"] = "degraded") -> None:
        """Report that W&B got less, or elsewhere, than the script said."""
        self.changes.append(Change(what=what, key=self.record.key, detail=detail))

    def caption_aside(self) -> None:
        """Keep a caption for which W&B's form of the value has no slot."""
        if self.record.caption is not None:
            column = f"{CAPTION}{self.key}"
            self.columns[column] = json.dumps(spelling.prose(self.record.caption))
            self.lesser(f"W&B shows no caption beside {self.record.type}: kept in the column {column}")

    def metadata_aside(self) -> None:
        """Keep the script's own facts about the value, for which W&B has no slot."""
        if facts := self.record.data.get("metadata"):
            column = f"{METADATA}{self.key}"
            self.columns[column] = json.dumps(spelling.setting(facts)[0])
            self.lesser(f"W&B has no metadata of media: kept in the column {column}")

    def with_caption(self, value: dict[str, Any]) -> dict[str, Any]:
        """The value, with its caption where it has one."""
        caption = self.record.caption
        return value if caption is None else {**value, "caption": spelling.prose(caption)}

    def configure(self, facts: dict[str, Any]) -> None:
        """Facts for W&B's UI, kept in its own part of the config."""
        self.transcript.say(wandb_log.Config(update={"_wandb": facts}))

    def _put(
        self, folder: str, extension: str, sha256: str, size: int, content: bytes | Path, key: str | None
    ) -> dict[str, Any]:
        name = f"{spelling.path(key or self.key)}_{self.record.step}_{sha256[:20]}{extension}"
        path = f"media/{folder}/{name}"
        store(self.folder / "files" / path, content)
        self.transcript.say(wandb_log.Files(paths=[path], now=True))
        self._placed[sha256] = path
        return {"sha256": sha256, "size": size, "path": path}
