"""Files of artifacts, beside the events."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from pathlib import Path, PurePosixPath

from runcast.backends.tensorboard.files import make_folder
from runcast.backends.tensorboard.folder import safe
from runcast.errors import Reject
from runcast.plugins import OpenRun
from runcast.records import Artifact, FileRef

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# Errors of this one path; what else the file system says concerns every file.
_PATH_ERRORS = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL)
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def place(run: OpenRun, root: Path, record: Artifact) -> str:
    """Put the files of one version under `root`, the run's folder; what is there already stays.

    Returns:
        The version's folder, relative to `root`.

    Raises:
        Reject: a path leads out of the folder, or a blob is missing.
    """
    if not _SHA256.match(record.digest):
        raise Reject(f"tensorboard: artifact {record.name!r}: its digest is no sha256; log it again")
    relative = f"artifacts/{safe(record.name)}/{record.digest[:12]}"
    folder = root / relative
    targets = [(_target(folder, file, record.name), run.blob(file)) for file in record.files]
    for (target, blob), file in zip(targets, record.files, strict=True):
        if not blob.is_file():
            raise Reject(
                f"tensorboard: artifact {record.name!r}: the content of {file.path!r} is not among the "
                "journal's blobs; log the artifact again"
            )
        try:
            make_folder(target.parent)
            if not target.parent.resolve().is_relative_to(root.resolve()):
                raise _refused(record.name, file.path, "a link leads it out of the run's folder")
            _put(blob, target, file.size)
        except OSError as error:
            if error.errno in _PATH_ERRORS:
                raise _refused(record.name, file.path, str(error.strerror)) from None
            raise
    return relative


def _target(folder: Path, file: FileRef, name: str) -> Path:
    path = PurePosixPath(file.path)
    if not _SHA256.match(file.sha256):
        raise _refused(name, file.path, "its digest is no sha256")
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in file.path:
        raise _refused(name, file.path, "it leads out of the artifact")
    try:
        longest = max(len(os.fsencode(part)) for part in path.parts)
    except UnicodeEncodeError:
        raise _refused(name, file.path, "no file can have that name") from None
    if longest > 255:
        raise _refused(name, file.path, "a part of it is longer than 255 bytes")
    return folder / path


def _refused(name: str, path: str, why: str) -> Reject:
    return Reject(f"tensorboard: artifact {name!r}: path {path!r} is refused: {why}; rename the file")


def _put(blob: Path, target: Path, size: int) -> None:
    """Link a blob that nobody may write to, or copy it; never leave half a file."""
    if target.is_file() and not target.is_symlink() and target.stat().st_size == size:
        return
    temporary = target.parent / ".runcast-artifact.tmp"
    temporary.unlink(missing_ok=True)
    if stat.S_IMODE(blob.stat().st_mode) & _WRITABLE or not _link(blob, temporary):
        shutil.copyfile(blob, temporary)
        temporary.chmod(0o400)
    temporary.replace(target)


def _link(blob: Path, target: Path) -> bool:
    try:
        target.hardlink_to(blob)
    except OSError:  # another file system, or one without links
        return False
    return True
