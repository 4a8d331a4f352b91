"""Anything that has an id, and the files of the store."""

from __future__ import annotations

import base64
import hashlib
import itertools
import mimetypes
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from .paging import global_id

if TYPE_CHECKING:
    from .state import State

# Of all servers of the process: the client keeps artifacts by their id, over the end of one server.
_NUMBERS = itertools.count(1)


def now() -> str:
    """The time in the server's spelling."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def md5(content: bytes) -> str:
    """A file's digest as W&B spells it: MD5 in base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


@dataclass(eq=False)
class Thing:
    """Anything with an id; `number` is unique among all things of all servers."""

    home: State
    number: int = field(init=False)
    created_at: str = field(init=False)
    updated_at: str = field(init=False)

    def __post_init__(self) -> None:
        self.number = next(_NUMBERS)
        self.created_at = self.updated_at = now()
        self.home.things[self.id] = self

    @property
    def kind(self) -> str:
        """The GraphQL type."""
        return type(self).__name__

    @property
    def id(self) -> str:
        """The global id."""
        return global_id(self.kind, self.number)


@dataclass(eq=False)
class StoredFile(Thing):
    """A file's place in the store; it has content once it was uploaded."""

    kind = "File"
    name: str
    key: str

    @property
    def content(self) -> bytes | None:
        """The bytes, or None before the upload."""
        return self.home.blobs.get(self.key)

    @property
    def display_name(self) -> str:
        """The name, as artifacts' files call it."""
        return self.name

    @property
    def direct_url(self) -> str:
        """Where to read and to write it."""
        return f"{self.home.url}/storage/{self.key}"

    upload_url = direct_url
    storage_path = property(lambda self: self.key)
    upload_headers: tuple[str, ...] = ()

    def url(self, upload: bool = False) -> str:
        """Where to read it, or to write it: the same place."""
        return self.direct_url

    @property
    def size_bytes(self) -> int:
        """Bytes uploaded."""
        return len(self.content or b"")

    @property
    def mimetype(self) -> str | None:
        """By the name."""
        return mimetypes.guess_type(self.name)[0]

    @property
    def md5(self) -> str | None:
        """Digest of the content."""
        return None if self.content is None else md5(self.content)

    digest = md5
