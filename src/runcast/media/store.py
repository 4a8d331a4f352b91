"""Where a value's files go while its record is made."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

from runcast.journal import Blobs, hold_bytes
from runcast.media.value import Unfit
from runcast.normalize.problem import Problem, look, text_of
from runcast.records import FileRef
from runcast.redact import redact_text

LATE = 1 << 20
"""Bytes from which on the courier digests a file; below, a snapshot costs it more than it saves here."""


class Store:
    """The blobs, and the problems met on the way.

    Args:
        key: the name that the value is logged under.
        blobs: the store of the runcast folder.
        secret_names: further names that say that a secret stands under them.
    """

    def __init__(self, key: str, blobs: Blobs, secret_names: re.Pattern[str] | None = None) -> None:
        self.key = key
        self.secret_names = secret_names
        self.problems: list[Problem] = []
        self._blobs = blobs

    def report(self, reason: str, detail: str = "", *, kept: bool = True) -> None:
        """Tell that a part of the value is lost or changed, or all of it.

        Args:
            reason: continues "... was not logged in full:"; the same text for the same cause, so that it
                warns once.
            detail: what differs from time to time, such as a count.
            kept: False where nothing of the value is kept.
        """
        self.problems.append(Problem(self.key, reason, detail, kept))

    def data(self, path: str, *parts: bytes | memoryview) -> FileRef:
        """Keep bytes as a file with this name."""
        if sum(len(part) for part in parts) < LATE:
            return FileRef(path, *self._blobs.put_bytes(*parts))
        name, size = hold_bytes(self._blobs, *parts)
        return FileRef(path, "", size, held=name)

    def array(self, path: str, array: Any) -> FileRef:
        """Keep an array as ``.npy``, row by row, without a copy in memory where it lies so already."""
        import numpy as np
        from numpy.lib import format as npy

        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        header = io.BytesIO()
        npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
        return self.data(path, header.getvalue(), memoryview(array.reshape(-1)).cast("B"))

    def file(self, path: str, source: Path) -> FileRef:
        """Keep a file as it is now.

        Raises:
            Unfit: it cannot be read.
        """
        try:
            return FileRef(path, *self._blobs.put_file(source))
        except OSError as error:
            raise Unfit(f"{str(source)!r} cannot be kept: {error.strerror or error}") from error

    def text(self, value: object) -> str:
        """A value as text, secrets masked."""
        return redact_text(text_of(value))


def as_path(value: object) -> Path | None:
    """The path that a value is; None for anything else."""
    if isinstance(value, str):
        return Path(str.__str__(value)).expanduser()
    if isinstance(value, os.PathLike):
        given = os.fspath(value)
        return Path(os.fsdecode(given)).expanduser()
    return None


def suffix_of(path: Path, known: tuple[str, ...], what: str) -> str:
    """The file's suffix, in lower case.

    Raises:
        Unfit: there is no such file, or its suffix is another.
    """
    suffix = path.suffix.lower()
    if suffix not in known:
        raise Unfit(f"{look(str(path))} is no {what}: give a file of type {', '.join(known)}")
    if not path.is_file():
        raise Unfit(f"there is no file {look(str(path))}: give the path of a file that exists")
    return suffix
