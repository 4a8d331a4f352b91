"""One file with runs in it, as `runcast export` writes it: a ZIP laid out as a runcast directory.

It may come from a stranger. Only members with the names that a runcast directory has are looked at; they are
unpacked one by one, when they are asked for, into a private folder that goes with the reader.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import weakref
import zipfile
import zlib
from pathlib import Path

from runcast.errors import ConfigError, SourceError
from runcast.journal import is_run_id, make_private
from runcast.journal.blobs import CHUNK

_SEGMENT = re.compile(r"runs/([^/]+)/journal/[0-9a-zA-Z-]+\.rcj")
_OTHER = re.compile(r"registry\.db|blobs/([0-9a-f]{2})/\1[0-9a-f]{62}|blobs/held/[0-9a-f]{32}\.sha256")


class Archive:
    """The members of one file, and the folder into which they are unpacked.

    Args:
        path: the file.

    Attributes:
        root: a runcast directory with what was unpacked so far.

    Raises:
        ConfigError: it is no archive, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise ConfigError(f"{path} is no archive of runs ({error}); `runcast export` makes one") from None
        except OSError as error:
            raise ConfigError(f"{path} cannot be opened: {error.strerror or error}") from error
        self._members = {name for name in self._zip.namelist() if _is_ours(name)}
        if not any(map(_SEGMENT.fullmatch, self._members)):
            self._zip.close()
            raise ConfigError(f"{path} has no runs in it; `runcast export` makes archives")
        self.root = Path(tempfile.mkdtemp(prefix="runcast-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.root, ignore_errors=True)

    def unpack(self, start: str) -> None:
        """Have every member whose name begins so in the folder.

        Raises:
            SourceError: one is damaged.
        """
        for name in sorted(name for name in self._members if name.startswith(start)):
            target = self.root / name
            if target.exists():
                continue
            make_private(target.parent)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
                with self._zip.open(name) as member, os.fdopen(os.open(target, flags, 0o600), "wb") as file:
                    shutil.copyfileobj(member, file, CHUNK)
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
                target.unlink(missing_ok=True)
                raise SourceError(f"{self._path}: {name} is damaged: {error}") from None

    def close(self) -> None:
        """Let go of file and folder."""
        self._zip.close()
        self._remove()


def _is_ours(name: str) -> bool:
    segment = _SEGMENT.fullmatch(name)
    return is_run_id(segment[1]) if segment else _OTHER.fullmatch(name) is not None
