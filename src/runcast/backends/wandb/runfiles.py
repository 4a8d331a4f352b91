"""Files in a run's folder, written so that each is whole or not there, whatever happens."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from runcast.backends.wandb.logfile import private_folder


def store(target: Path, content: bytes | Path) -> None:
    """Put a file, durably and for its owner only; a file of that name is replaced.

    Args:
        target: where; missing folders are made.
        content: the bytes, or the file that holds them.

    Raises:
        OSError: the content cannot be read, or the disk refuses.
    """
    private_folder(target.parent)
    part = target.with_name(f".part-{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        if isinstance(content, Path):
            with content.open("rb") as source:
                shutil.copyfileobj(source, stream, 1 << 20)
        else:
            stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)  # else a power loss may take the name of a file that was acknowledged
    finally:
        os.close(descriptor)
