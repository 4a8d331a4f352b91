"""A new SQLite database for MLflow: there as a whole, or not at all.

MLflow takes seconds to make its tables, step by step. A process that is killed meanwhile, or a full disk,
would leave a file with which no MLflow can begin ever after: "duplicate column name".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def make(database: Path, uri: str, fill: Callable[[str], object]) -> None:
    """Make a database under another name beside its place, then give it its own.

    The caller keeps others of its kind from making it at the same time.

    Args:
        database: the file; left alone where something is in it.
        uri: MLflow's URI of it.
        fill: makes the tables of a database, of which it gets the URI.

    Raises:
        OSError: the folder cannot be written; besides, what `fill` raises.
    """
    if str(database) not in uri or _size(database):
        return
    for left in database.parent.glob(f".{database.name}.*.new*"):  # of one who was killed at it
        left.unlink(missing_ok=True)
    new = database.with_name(f".{database.name}.{os.getpid()}.new")
    # SQLite would make it readable for everybody whom the umask lets.
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        fill(uri.replace(str(database), str(new)))
        if not _size(database):  # else another program was faster
            database.unlink(missing_ok=True)
            _name(new, database)
    finally:
        new.unlink(missing_ok=True)


def _name(new: Path, database: Path) -> None:
    try:
        os.link(new, database)  # unlike a renaming it never takes another's place
    except FileExistsError:
        pass
    except OSError:  # a file system without links has one of several words for it
        if not database.exists():
            new.rename(database)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
