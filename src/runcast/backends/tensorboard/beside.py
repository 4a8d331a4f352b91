"""Files of artifacts, models, inputs and media, beside the events."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from runcast.backends.tensorboard.files import make_folder
from runcast.backends.tensorboard.folder import safe
from runcast.errors import Reject
from runcast.plugins import OpenRun
from runcast.records import FileRef

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
# Errors of this one path; what else the file system says concerns every file.
_PATH_ERRORS = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL)
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def place(run: OpenRun, root: Path, folder: str, owner: str, files: Sequence[FileRef]) -> None:
    """Put files under `root`, the run's folder, by their own paths; what is there already stays.

    Args:
        run: has the blobs.
        root: the run's folder.
        folder: relative to `root`; one per content, for a file of the same size is taken for the same.
        owner: what the files belong to, for messages.
        files: those with a `uri` stay where they are.

    Raises:
        Reject: a path leads out of the folder, or a blob is missing.
    """
    held = [file for file in files if not file.uri]
    targets = [(_target(root / folder, file, owner), blob(run, file, owner), file) for file in held]
    for target, source, file in targets:
        try:
            make_folder(target.parent)
            if not target.parent.resolve().is_relative_to(root.resolve()):
                raise _refused(owner, file.path, "a link leads it out of the run's folder")
            _put(source, target, file.size)
        except OSError as error:
            if error.errno in _PATH_ERRORS:
                raise _refused(owner, file.path, str(error.strerror)) from None
            raise


def blob(run: OpenRun, file: FileRef, owner: str) -> Path:
    """The content of a file.

    Raises:
        Reject: it is not there.
    """
    path = run.blob(file)
    if not path.is_file():
        raise Reject(
            f"tensorboard: {owner}: the content of {file.path!r} is not among the journal's blobs; "
            f"log the {owner.split()[0]} again"
        )
    return path


def version_folder(kind: str, name: str, digest: str) -> str:
    """Where one version of something goes, relative to the run's folder.

    Raises:
        Reject: the digest is no sha256.
    """
    if not _SHA256.match(digest):
        raise Reject(f"tensorboard: {kind[:-1]} {name!r}: its digest is no sha256; log it again")
    return f"{kind}/{safe(name)}/{digest[:12]}"


def digest_of(files: Sequence[FileRef]) -> str:
    """One digest for many files, made as that of an `runcast.records.Artifact`."""
    lines = "".join(f"{path}\0{sha256}\n" for path, sha256 in sorted((f.path, f.sha256) for f in files))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _target(folder: Path, file: FileRef, owner: str) -> Path:
    path = PurePosixPath(file.path)
    if not _SHA256.match(file.sha256):
        raise _refused(owner, file.path, "its digest is no sha256")
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in file.path:
        raise _refused(owner, file.path, "it leads out of the artifact")
    try:
        longest = max(len(os.fsencode(part)) for part in path.parts)
    except UnicodeEncodeError:
        raise _refused(owner, file.path, "no file can have that name") from None
    if longest > 255:
        raise _refused(owner, file.path, "a part of it is longer than 255 bytes")
    return folder / path


def _refused(owner: str, path: str, why: str) -> Reject:
    return Reject(f"tensorboard: {owner}: path {path!r} is refused: {why}; rename the file")


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
