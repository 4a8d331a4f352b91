"""Names of artifacts and of the files inside them: none leads anywhere but into its own folder."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

_REFUSED = "/\\"


def safe_name(name: str) -> tuple[str, str]:
    """A name for an artifact that is no path.

    Returns:
        The name, and why it is not the one that was asked for, or ``""``.
    """
    clean = "".join("_" if c in _REFUSED or ord(c) < 32 else c for c in name)
    if clean.strip(". ") == "":
        clean = clean.replace(".", "_").strip() or "artifact"
    if clean == name:
        return name, ""
    return clean, (
        "the name of an artifact is no path, so it has no '/', '\\' or control characters, and is not '..' "
        f"or empty; the artifact is kept as {clean!r}"
    )


def name_of(path: str | os.PathLike[str]) -> str:
    """What to call an artifact of this path: its last part, symbolic links followed."""
    text = os.fspath(path)
    try:
        return os.path.basename(os.path.realpath(text))  # noqa: PTH119  # pathlib raises on loops of links
    except (OSError, ValueError):
        return os.path.basename(text)  # noqa: PTH119  # same


def refusal(path: str) -> str:
    """Why this cannot be the place of a file inside an artifact; ``""`` where it can.

    Read by all systems: what is a separator on one of them is one here.
    """
    if not path or "\0" in path:
        return "the name is empty or has a NUL in it"
    if "\\" in path:
        return "a backslash in the name is a folder on Windows; rename the file"
    if path.startswith("/") or path[1:2] == ":":
        return "the name is an absolute path"
    parts = PurePosixPath(path).parts
    if ".." in parts or not parts:
        return "'..' in the name leads out of the artifact"
    return "" if str(PurePosixPath(path)) == path else "the name has empty parts or '.' in it"
