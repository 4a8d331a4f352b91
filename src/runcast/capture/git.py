"""The commit, as Git's own files tell it: no process is started.

The layout of a repository's files: https://git-scm.com/docs/gitrepository-layout.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

from runcast.redact import redact_text

_SMALL = 1 << 20  # bytes of a file of Git's own that is read
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_USER = re.compile(r"(?<=://)[^/@\s]*@")


def head(folder: Path) -> dict[str, Any]:
    """Commit, branch, remote and folder of the repository around `folder`; {} where there is none.

    A detached head has no branch, a repository without commits no commit. No process is started.

    Raises:
        OSError, ValueError: a file of Git's cannot be read.
    """
    found = _find(folder)
    if found is None:
        return {}
    root, own = found
    shared = own
    if (own / "commondir").is_file():  # a worktree: refs and configuration are the main one's
        shared = (own / _read(own / "commondir").strip()).resolve()
    about: dict[str, Any] = {"root": str(root)}
    text = _read(own / "HEAD").strip()
    if text.startswith("ref:"):
        ref = text[4:].strip()
        about["branch"] = ref.removeprefix("refs/heads/")
        commit = _resolve(ref, own, shared)
    else:
        commit = text
    if _COMMIT.fullmatch(commit):
        about["commit"] = commit
    if remote := _remote(shared / "config"):
        about["remote"] = remote
    return about


def without_user(url: str) -> str:
    """A remote without credentials; a user name before ``@`` goes too, because it may be a token."""
    return redact_text(_USER.sub("", url))


def _find(folder: Path) -> tuple[Path, Path] | None:
    """The work tree around `folder`, and its own Git folder."""
    for parent in (folder, *folder.parents):
        place = parent / ".git"
        if place.is_dir():
            return (parent, place) if (place / "HEAD").is_file() else None
        if place.is_file():  # a worktree or a submodule
            target = _read(place).strip()
            if target.startswith("gitdir:"):
                return parent, (parent / target[7:].strip()).resolve()
            return None
    return None


def _resolve(ref: str, own: Path, shared: Path) -> str:
    if ".." in ref.split("/") or not ref.startswith("refs/"):
        return ""
    for place in (own / ref, shared / ref):
        with contextlib.suppress(OSError):
            return _read(place).strip()
    with contextlib.suppress(OSError):
        for line in _read(shared / "packed-refs", most=64 * _SMALL).splitlines():
            commit, _, name = line.partition(" ")
            if name == ref:
                return commit
    return ""


def _remote(config: Path) -> str:
    """URL of ``origin``, else of the first remote."""
    remotes: dict[str, str] = {}
    section = ""
    with contextlib.suppress(OSError):
        for line in _read(config).splitlines():
            line = line.strip()
            if line.startswith("["):
                match = re.match(r'\[remote "(.*)"\]', line)
                section = match[1] if match else ""
            elif section and re.match(r"url\s*=", line):
                remotes.setdefault(section, line.partition("=")[2].strip().strip('"'))
    url = remotes.get("origin") or next(iter(remotes.values()), "")
    return without_user(url)


def _read(path: Path, most: int = _SMALL) -> str:
    with path.open("rb") as file:
        return file.read(most).decode("utf-8", "replace")
