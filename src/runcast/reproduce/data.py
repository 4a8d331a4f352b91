"""Whether the data of a run are still what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import unquote, urlsplit

from runcast.datasets import look
from runcast.errors import ReproductionError, UsageError
from runcast.records import Input
from runcast.reproduce.command import Places
from runcast.reproduce.past import Past

State = Literal["same", "changed", "gone", "unknown"]


class Checked(NamedTuple):
    """One input of a run.

    Attributes:
        name: of the input.
        state: ``unknown`` where there is nothing on this machine to look at; the new run's own digest tells
            more.
        path: where the data are, or were; None where that is no file of this machine.
        detail: digests, or why nothing is known.
    """

    name: str
    state: State
    path: Path | None
    detail: str


def check(run: Past, places: Places) -> list[Checked]:
    """Look at every input; files of the code are looked at where it was checked out."""
    return [_check(one, places) for one in run.inputs]


def refuse_gone(found: list[Checked]) -> None:
    """Stop where data are gone.

    Raises:
        ReproductionError: names the input and its path.
    """
    for one in found:
        if one.state == "gone":
            raise ReproductionError(
                f"the data {one.name!r} are gone: {one.path} is not there; put them back, or give --no-data "
                "to run without looking"
            )


def link(found: list[Checked], places: Places) -> list[str]:
    """Give the checked out code the data that lie in the old folder and are not in the commit.

    Returns:
        Relative paths of the links.
    """
    made: list[str] = []
    for one in found:
        if one.path is None or one.state not in ("same", "changed"):
            continue
        made += _link(one.path, places)
    return made


def link_named(paths: list[Path], places: Places) -> list[str]:
    """The same for files and folders that no input names.

    Raises:
        UsageError: one is not in the folder of the code.
    """
    made: list[str] = []
    for path in paths:
        whole = places.root / path
        if not whole.exists() or places.path(str(whole)) == str(whole):
            raise UsageError(f"--link {path}: there is no such file or folder in {places.root}")
        made += _link(whole, places)
    return made


def _link(path: Path, places: Places) -> Iterator[str]:
    target = Path(places.path(str(path)))
    if target == path or target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(path)
    yield str(target.relative_to(places.tree))


def _check(one: Input, places: Places) -> Checked:
    path = _path(one)
    if path is None:
        return Checked(one.name, "unknown", None, f"comes from {one.source or 'memory'}")
    inside = Path(places.path(str(path)))
    here = inside if inside.exists() else path
    if not here.exists():
        return Checked(one.name, "gone", path, "")
    try:
        now = look(here).digest
    except (UsageError, OSError) as error:
        return Checked(one.name, "unknown", path, str(error))
    if now == one.digest:
        return Checked(one.name, "same", here, now)
    return Checked(one.name, "changed", here, f"{one.digest[:12]} → {now[:12]}")


def _path(one: Input) -> Path | None:
    """The file or folder that the digest is of; None where it is of something in memory, or elsewhere."""
    kind, source = one.metadata.get("kind"), one.source
    if kind == "file" and one.files and one.files[0].uri:
        source = one.files[0].uri  # the script may have named another source
    if kind not in ("file", "folder") or not one.digest or not source:
        return None
    parts = urlsplit(source)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path) if parts.scheme else source)
