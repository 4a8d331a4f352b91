"""One value of another writer's on its way to records."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from runcast.backends.tensorboard.beside import digest_of
from runcast.formats.tfevents import Tensor, Value, parse_tensor
from runcast.journal import Blobs
from runcast.records import Artifact, FileRef, Media


class Item(msgspec.Struct):
    """A value, and where it stands.

    Attributes:
        time: ns since 1970.
        step: int64.
        value: as the event has it.
        plugin, content: what the first value of its tag says whose it is.
        blobs: takes the content of files.
    """

    time: int
    step: int
    value: Value
    plugin: str
    content: bytes
    blobs: Blobs

    @property
    def key(self) -> str:
        """The name of the record."""
        return self.value.tag

    @property
    def message(self) -> bytes:
        """The value's own message, not parsed."""
        return self.value.value if isinstance(self.value.value, bytes) else b""

    def tensor(self) -> Tensor:
        """The value as a tensor.

        Raises:
            ValueError: it is damaged.
        """
        return parse_tensor(self.message)

    def file(self, path: str, content: bytes) -> FileRef:
        """Keep a file."""
        sha256, size = self.blobs.put_bytes(content)
        return FileRef(path, sha256, size)

    def media(self, type_: str, *files: FileRef, key: str | None = None, **fields: Any) -> Media:
        """A record of this time and step."""
        return Media(
            time=self.time,
            step=self.step,
            key=self.key if key is None else key,
            type=type_,
            file=files[0] if files else None,
            files=list(files[1:]),
            **fields,
        )

    def artifact(self, path: str, content: bytes, **metadata: Any) -> Artifact:
        """What no medium holds, as a file; its metadata says what it was."""
        files = [self.file(path, content)]
        name = self.key.replace("/", ".").strip(".") or "tensorboard"
        said = {"tag": self.key, "step": self.step, "plugin": self.plugin, **metadata}
        digest = digest_of(files)
        return Artifact(
            time=self.time, name=name, type="tensorboard", files=files, digest=digest, metadata=said
        )


_NPY = {"f": "<f4", "d": "<f8", "i": "<i4", "B": "|u1", "h": "<i2", "b": "|i1", "q": "<i8", "?": "|b1"}
_NPY |= {"H": "<u2", "e": "<f2", "I": "<u4", "Q": "<u8"}


def npy(code: str, shape: tuple[int, ...], content: bytes) -> bytes:
    """An array as a ``.npy`` file (version 1.0); `content` is little-endian, the last dimension fastest."""
    sizes = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    head = f"{{'descr': '{_NPY[code]}', 'fortran_order': False, 'shape': ({sizes}), }}"
    padding = -(10 + len(head) + 1) % 64
    line = (head + " " * padding + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(line)) + line + content
