"""What could go, and of runs why they stay. Looking changes nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from runcast import codec
from runcast.courier.closing import beginnings, has_living_writer, is_over, writer_ends
from runcast.courier.folder import DeliveryFolder
from runcast.courier.pending import destinations, is_pending
from runcast.errors import JournalError
from runcast.journal import Layout
from runcast.migrate.manifest import Manifest
from runcast.retention import needs

GRACE = 3600.0
"""Seconds for which nothing that was just put there goes: the record that names it may be on its way."""
DIGITS = 64
"""Of a sha256."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs may go; without any rule all stay, and only what no run needs goes.

    Attributes:
        older: seconds since a run's end.
        keep: so many of the latest runs of each experiment stay, whatever their age.
        only_copy: also runs that no other tracker has.
    """

    older: float | None = None
    keep: int | None = None
    only_copy: bool = False

    @property
    def any(self) -> bool:
        """Whether runs are asked for at all."""
        return self.older is not None or self.keep is not None


class Kept(msgspec.Struct, frozen=True):
    """A run that the rules name and that stays, and why."""

    run: str
    reason: str


class Going(msgspec.Struct, frozen=True):
    """A run that may go.

    Attributes:
        ended: ns since 1970 of its last record.
    """

    run: str
    experiment: str
    name: str
    ended: int
    bytes: int


class Found(msgspec.Struct):
    """What may go.

    Attributes:
        runs: with all that is known of them here; trackers keep what they got.
        kept: runs that the rules name and that stay.
        blobs: contents that nothing names.
        snapshots: of large files, that no record names.
        views: artifacts as folders, made when somebody looked, of which no run is left.
        leftovers: files that a killed process was writing.
        bytes: what removing all of it frees; what is also linked elsewhere frees nothing.
    """

    runs: list[Going] = []
    kept: list[Kept] = []
    blobs: list[Path] = []
    snapshots: list[Path] = []
    views: list[Path] = []
    leftovers: list[Path] = []
    bytes: int = 0

    def paths(self, layout: Layout) -> list[Path]:
        """Everything that goes."""
        runs = [layout.run(run.run) for run in self.runs]
        return [*runs, *self.blobs, *self.snapshots, *self.views, *self.leftovers]


def look(
    layout: Layout,
    rules: Rules,
    *,
    wandb: Iterable[Path] = (),
    now: float | None = None,
    grace: float = GRACE,
) -> Found:
    """What may go.

    Args:
        layout: the runcast directory.
        rules: which runs may.
        wandb: folders in which W&B runs written offline are.
        now: seconds since 1970.
        grace: see `GRACE`.

    Raises:
        JournalError: something cannot be read, so that nobody knows what it needs.
    """
    now = time.time() if now is None else now
    named, registered = needs.of_registry(layout)
    found = Found()
    every = layout.run_ids()
    if rules.any:
        _choose(layout, every, rules, registered, now, found)
    going = {run.run for run in found.runs}
    named.update(needs.of_journals(layout, (run for run in every if run not in going)))
    named.update(needs.of_snapshots(layout, list(named)))
    named.update(needs.of_wandb(wandb))
    named.update(needs.of_catalog(layout, going))
    old = now - grace
    blobs = (path for path in _files(layout.blobs, "??/*") if len(path.name) == DIGITS)
    found.blobs = [path for path in blobs if path.name not in named and _is_old(path, old)]
    held = _files(layout.blobs / "held", "*")
    found.snapshots = [p for p in held if p.name.partition(".")[0] not in named and _is_old(p, old)]
    found.views = [p for p in _files(layout.views, "[!.]*") if p.name not in named and _is_old(p, old)]
    unfinished = [*_files(layout.blobs, ".*.tmp"), *_files(layout.views, ".*")]
    found.leftovers = [path for path in unfinished if _is_old(path, old)]
    found.bytes = freed(found.paths(layout))
    return found


def _choose(
    layout: Layout, every: list[str], rules: Rules, registered: Mapping[str, str], now: float, found: Found
) -> None:
    """Sort the runs that the rules name into those that go and those that stay."""
    about = {run: known for run in every if (known := _about(layout, run)) is not None}
    latest: dict[str, list[str]] = {}
    for run in sorted(about, key=lambda run: -about[run].ended):
        latest.setdefault(about[run].experiment, []).append(run)
    spared = {run for runs in latest.values() for run in runs[: rules.keep or 0]}
    named = [
        run
        for run, known in about.items()
        if run not in spared and (rules.older is None or known.ended / 1e9 <= now - rules.older)
    ]
    migrated = _migrated(layout)
    reasons = {run: _needed(layout, run, rules, registered, migrated) for run in named}
    staying = [run for run in every if reasons.get(run, "it stays")] if "" in reasons.values() else []
    while staying:
        run = staying.pop()
        for other in needs.runs_named(layout, run):
            if reasons.get(other) == "":
                reasons[other] = f"run {run}, which stays, is nested in it or used its files"
                staying.append(other)
    found.kept = [Kept(run, reason) for run, reason in sorted(reasons.items()) if reason]
    found.runs = sorted((about[run] for run, reason in reasons.items() if not reason), key=lambda r: r.ended)


def _about(layout: Layout, run: str) -> Going | None:
    try:
        firsts = beginnings(layout.journal(run))
        ends = writer_ends(layout.journal(run)).values()
    except (OSError, JournalError):  # nobody knows what it is: it stays
        return None
    ended = max((end.last_time for end in ends), default=0)
    if not firsts or not ended:
        return None
    return Going(run, firsts[0].experiment, firsts[0].name, ended, freed([layout.run(run)]))


def _needed(
    layout: Layout, run: str, rules: Rules, registered: Mapping[str, str], migrated: Mapping[str, str]
) -> str:
    """Why a run must stay; "" where it need not."""
    if has_living_writer(layout, run):
        return "it goes on"
    if not is_over(layout, run):
        return "its process died without a last word: `runcast deliver` closes it"
    backends = destinations(layout, run)
    for name in backends:
        delivery = DeliveryFolder(layout.delivery(run, name))
        cursor = delivery.load_cursor()
        if delivery.is_held():
            return f"it is being delivered to {name}"
        if is_pending(layout, run, name):
            return f"{name} does not have all of it: `runcast deliver`"
        if cursor.rejected:
            return f"{name} refused records of it, which are nowhere else"
        place = Path(cursor.ref.url) if cursor.ref is not None and cursor.ref.url.startswith("/") else None
        if name == "wandb" and place is not None and place.is_dir() and not needs.is_uploaded(place):
            return f"{place} was not uploaded yet: `wandb sync`"
    if run in registered:
        return f"the registered model {registered[run]} came from it"
    if run in migrated:
        return f"migration {migrated[run]} names it: `runcast rollback` first"
    if not rules.only_copy and not set(backends) - {"local"}:
        return "no other tracker has it: --only-copy removes it all the same"
    return ""


def _migrated(layout: Layout) -> dict[str, str]:
    """Runcast's id of each run that a migration came from or went to → the migration.

    Raises:
        JournalError: a manifest cannot be read.
    """
    runs: dict[str, str] = {}
    for path in sorted((layout.root / "migrations").glob("*/manifest.json")):
        try:
            manifest = codec.from_json(path.read_bytes(), Manifest)
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            raise JournalError(f"{path} cannot be read ({error}), so nobody knows what it needs") from error
        for entry in manifest.runs.values():
            if entry.state != "removed":
                runs |= {entry.run: manifest.id, entry.source: manifest.id}
    return runs


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    """Sorted; none where the folder is a link, which runcast never makes."""
    if not folder.is_symlink():
        yield from sorted(p for p in folder.glob(pattern) if not p.parent.is_symlink())


def _is_old(path: Path, moment: float) -> bool:
    try:
        about = path.lstat()
    except OSError:  # gone by itself
        return False
    return about.st_ctime < moment


def freed(paths: Iterable[Path]) -> int:
    """Bytes that removing these files and folders gives back to the disk."""
    links: dict[tuple[int, int], list[int]] = {}
    for top in paths:
        for path in _below(top):
            with contextlib.suppress(OSError):
                about = path.lstat()
                known = links.setdefault((about.st_dev, about.st_ino), [about.st_nlink, about.st_size])
                known[0] -= 1
    return sum(size for left, size in links.values() if left <= 0)


def _below(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
        return
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)
