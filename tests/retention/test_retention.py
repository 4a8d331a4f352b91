"""What `runcast gc` finds and removes, and what it must never touch."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast import codec
from runcast.courier.folder import Cursor, DeliveryFolder
from runcast.errors import JournalError
from runcast.formats import wandb_log
from runcast.journal import Blobs, JournalWriter, Position, ProcessLock, hold_bytes, settle
from runcast.migrate.manifest import Manifest, RunEntry
from runcast.receipts import Ref
from runcast.records import Artifact, FileRef, Input, Record, RunStarted
from runcast.retention import Found, Rules, look, sweep

ALL = Rules(older=0)


def find(rc: Any, rules: Rules = Rules(), **more: Any) -> Found:  # noqa: B008  # immutable
    """What may go, a moment after everything was put there."""
    return look(rc.layout, rules, now=time.time() + 1, grace=0, **more)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, locks left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and "lock" not in path.name)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def artifact(*files: FileRef) -> Artifact:
    """A record of files."""
    return Artifact(time=1, name="a", type="file", files=list(files), digest="")


def delivered(rc: Any, run: str, *backends: str, **about: Any) -> None:
    """Each of these backends has all of the run, as a courier writes it down."""
    offsets = {path.stem: path.stat().st_size for path in rc.layout.journal(run).glob("*.rcj")}
    for name in backends:
        folder = DeliveryFolder(rc.layout.delivery(run, name))
        folder.state_folder()
        folder.save_cursor(Cursor(position=Position(offsets=offsets), records=3, finished=True, **about))


def a_run(rc: Any, run: str, *more: Record, backends: tuple[str, ...] = ("local", "x"), **about: Any) -> None:
    """A run that all of its backends have."""
    rc.run(run, *more, backends={name: {} for name in backends}, **about)
    delivered(rc, run, *backends)


def test_what_something_names_stays_and_what_nothing_names_goes(rc: Any, tmp_path: Path) -> None:
    """Journals, whole or damaged, snapshots read or not, the registry, W&B's folder: each keeps its own."""
    blobs = Blobs(rc.layout.blobs)
    contents = {
        name: blobs.put_bytes(name.encode())
        for name in ("journal", "damaged", "registry", "wandb", "uploaded", "orphan")
    }
    read, unread, lonely = (hold_bytes(blobs, word) for word in (b"read", b"unread", b"lonely"))
    held = [FileRef(name, "", size, held=name) for name, size in (read, unread)]
    damaged = artifact(FileRef("f", *contents["damaged"]))
    rc.run("r", artifact(FileRef("f", *contents["journal"]), *held), damaged)
    settled = settle(artifact(FileRef("f", "", read[1], held=read[0])), blobs).files[0].sha256
    (segment,) = rc.layout.journal("r").glob("*.rcj")
    line = segment.read_bytes().replace(b"\n", b"\n#", 5)  # no line is whole any more
    segment.write_bytes(line)
    with sqlite3.connect(rc.layout.registry) as connection:
        connection.execute("CREATE TABLE versions (name, version, data)")
        connection.execute("CREATE TABLE events (name, data)")
        data = json.dumps({"run": "", "files": {"model": contents["registry"][0]}})
        connection.execute("INSERT INTO versions VALUES ('m', 1, ?)", (data,))
    connection.close()
    for name in ("wandb", "uploaded"):
        folder = tmp_path / "wandb" / f"offline-run-1-{name}"
        folder.mkdir(parents=True)
        local = str(blobs.path(contents[name][0]))
        entries = [wandb_log.ManifestEntry(path="f", digest="d", local_path=local)]
        log = wandb_log.FILE_HEADER
        log += wandb_log.append(wandb_log.Artifact(name="a", entries=entries), 1, len(log))
        (folder / f"run-{name}.wandb").write_bytes(log)
    (folder / "run-uploaded.wandb.synced").touch()

    found = sweep(rc.layout, lambda: find(rc, wandb=[tmp_path / "wandb"]))

    assert sorted(p.name for p in found.blobs) == sorted(contents[n][0] for n in ("uploaded", "orphan"))
    assert [p.name for p in found.snapshots] == [lonely[0]]
    assert found.bytes == len("uploaded") + len("orphan") + len("lonely")
    left = {path.name for path in rc.layout.blobs.rglob("*") if path.is_file()}
    kept = {contents[name][0] for name in ("journal", "damaged", "registry", "wandb")}
    assert left == kept | {settled, unread[0], f"{read[0]}.sha256"}


def _dead(rc: Any) -> None:
    writer = JournalWriter(rc.layout.journal("r"), "r", process="gone")
    writer.append(codec.encode(RunStarted(time=1, run="r", experiment="e", name="n")))
    writer.close()


def _rejected(rc: Any) -> None:
    delivered(rc, "r", "x", rejected=1)


def _offline(rc: Any) -> None:
    folder = rc.dir / "offline-run-1-r"
    folder.mkdir(parents=True)
    a_run(rc, "r", backends=("wandb",))
    delivered(rc, "r", "wandb", ref=Ref("r", str(folder)))


def _registered(rc: Any) -> None:
    with sqlite3.connect(rc.layout.registry) as connection:
        connection.execute("CREATE TABLE versions (name, version, data)")
        connection.execute("CREATE TABLE events (name, data)")
        connection.execute("INSERT INTO versions VALUES ('m', 1, ?)", (json.dumps({"run": "r"}),))
    connection.close()


def _migrated(rc: Any) -> None:
    folder = rc.dir / "migrations" / "m"
    folder.mkdir(parents=True)
    entry = RunEntry(source="r", run="elsewhere", state="delivered")
    manifest = Manifest(id="m", source="local:", destination="x:", created=1, runs={"r": entry})
    (folder / "manifest.json").write_bytes(codec.to_json(manifest))


def _used(rc: Any) -> None:
    rc.run("other", Input(time=1, name="a", type="file", run="r"), status=None)


def _child(rc: Any) -> None:
    rc.run("other", parent="r", status=None)


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (lambda rc: rc.run("r", status=None), "it goes on"),
        (_dead, "died without a last word"),
        (lambda rc: (rc.layout.delivery("r", "x") / "cursor.json").unlink(), "x does not have all of it"),
        (lambda rc: rc.write("r", [artifact()]), "does not have all of it"),
        (_rejected, "x refused records of it"),
        (lambda rc: a_run(rc, "r", backends=("local",)), "no other tracker has it"),
        (_offline, "was not uploaded yet"),
        (_registered, "the registered model m v1 came from it"),
        (_migrated, "migration m names it"),
        (_used, "used its files"),
        (_child, "nested in it"),
    ],
)
def test_a_run_that_something_needs_stays(rc: Any, happen: Callable[[Any], object], reason: str) -> None:
    """However old it is; the reason is told, and the folder is as it was."""
    if not any(word in reason for word in ("no other", "uploaded", "last word", "goes on")):
        a_run(rc, "r")
    happen(rc)
    for segment in rc.layout.runs.glob("*/journal/*"):
        os.utime(segment, (1, 1))  # nobody has written to them for long
    before = tree(rc.dir)

    found = sweep(rc.layout, lambda: find(rc, ALL))

    assert reason in next(kept.reason for kept in found.kept if kept.run == "r")
    assert not found.runs
    assert tree(rc.dir) == before


def test_a_run_that_goes_takes_its_contents_along(rc: Any) -> None:
    """Journal, files and lines in the catalog; what another run has as well stays."""
    blobs = Blobs(rc.layout.blobs)
    own, shared = blobs.put_bytes(b"own"), blobs.put_bytes(b"shared")
    a_run(rc, "gone", artifact(FileRef("own", *own), FileRef("shared", *shared)))
    a_run(rc, "stays", artifact(FileRef("shared", *shared)), backends=("local",))
    assert {run.id for run in runcast.runs(dir=rc.dir)} == {"gone", "stays"}

    found = sweep(rc.layout, lambda: find(rc, ALL))

    assert [run.run for run in found.runs] == ["gone"]
    assert rc.layout.run_ids() == ["stays"]
    assert [run.id for run in runcast.runs(dir=rc.dir)] == ["stays"]
    assert not blobs.holds(own[0])
    assert blobs.holds(shared[0])
    assert found.bytes > len("own") + found.runs[0].bytes - 1


@pytest.mark.parametrize(
    ("rules", "going"),
    [
        (Rules(older=0), ["a0", "a1", "a2", "b0"]),
        (Rules(keep=1), ["a0", "a1"]),
        (Rules(keep=0), ["a0", "a1", "a2", "b0"]),
        (Rules(older=0, keep=2), ["a0"]),
        (Rules(older=1e12), []),
        (Rules(), []),
    ],
)
def test_age_and_number_name_the_runs(rc: Any, rules: Rules, going: list[str]) -> None:
    """The latest of each experiment stay, by their ends; both rules together name what both name."""
    from journals import SECOND, T0

    for number in range(3):
        a_run(rc, f"a{number}", experiment="a", start=T0 + number * 1000 * SECOND)
    a_run(rc, "b0", experiment="b")

    assert sorted(run.run for run in find(rc, rules).runs) == going


def test_what_was_just_put_there_stays(rc: Any) -> None:
    """The record that names it may be on its way: an hour of grace."""
    Blobs(rc.layout.blobs).put_bytes(b"new")
    (rc.layout.blobs / ".1-2.tmp").touch()

    assert not look(rc.layout, Rules()).paths(rc.layout)
    later = look(rc.layout, Rules(), now=time.time() + 3700)
    assert (len(later.blobs), len(later.leftovers)) == (1, 1)


def _starts(rc: Any) -> None:
    lock = ProcessLock(rc.layout.alive)
    rc.held = lock


def _came_and_went(rc: Any) -> None:
    rc.run("short", artifact(FileRef("f", *Blobs(rc.layout.blobs).put_bytes(b"orphan"))))


@pytest.mark.parametrize("happen", [_starts, _came_and_went])
def test_who_begins_meanwhile_finds_everything(rc: Any, happen: Callable[[Any], None]) -> None:
    """A script that starts while gc is at work, or came and went: everything is put back, and gc says so."""
    blobs = Blobs(rc.layout.blobs)
    orphan, _ = blobs.put_bytes(b"orphan")
    a_run(rc, "old")

    def meanwhile() -> Found:
        found = find(rc, ALL)
        happen(rc)
        return found

    with pytest.raises(JournalError, match="nothing was removed"):
        sweep(rc.layout, meanwhile)
    assert blobs.holds(orphan)
    assert "old" in rc.layout.run_ids()
    if hasattr(rc, "held"):
        rc.held.release()


def test_nothing_goes_while_a_script_runs(rc: Any) -> None:
    """Not even a look is taken."""
    lock = ProcessLock(rc.layout.alive)
    try:
        with pytest.raises(JournalError, match="a script is running"):
            sweep(rc.layout, lambda: pytest.fail("it looked"))
    finally:
        lock.release()


def test_a_sweep_that_was_killed_is_undone_by_the_next(rc: Any) -> None:
    """Killed between moving aside and removing: the next one puts all back before it looks."""
    a_run(rc, "old")
    orphan, _ = Blobs(rc.layout.blobs).put_bytes(b"orphan")
    before = tree(rc.dir)
    code = (
        "import os, sys, time; from pathlib import Path; from runcast.journal import Layout;"
        "from runcast.retention import Rules, look, sweep; import runcast.retention.removal as module;"
        "module._forget = lambda layout, runs: os.kill(os.getpid(), 9);"
        "layout = Layout(sys.argv[1]);"
        "sweep(layout, lambda: look(layout, Rules(older=0), now=time.time() + 1, grace=0))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(rc.dir)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert "old" not in rc.layout.run_ids()

    sweep(rc.layout, Found)
    assert tree(rc.dir) == before
    assert not (rc.dir / "trash").exists()
    assert Blobs(rc.layout.blobs).holds(orphan)


def test_what_cannot_be_read_stops_everything(rc: Any) -> None:
    """Nobody knows what an unreadable registry or manifest needs, so nothing goes."""
    Blobs(rc.layout.blobs).put_bytes(b"orphan")
    rc.layout.registry.write_bytes(b"no database, and long enough to be looked at as one" * 30)
    with pytest.raises(JournalError, match="nobody knows what it needs"):
        find(rc)
    os.unlink(rc.layout.registry)  # noqa: PTH108
    folder = rc.dir / "migrations" / "m"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{")
    a_run(rc, "r")
    with pytest.raises(JournalError, match="nobody knows what it needs"):
        find(rc, ALL)


def test_links_are_not_followed(rc: Any, tmp_path: Path) -> None:
    """A folder of a stranger's must not lead gc to files that are not runcast's."""
    outside = tmp_path / "outside"
    (outside / "ab").mkdir(parents=True)
    (outside / "ab" / ("ab" * 32)).touch()
    rc.layout.blobs.mkdir(parents=True)
    (rc.layout.blobs / "ab").symlink_to(outside / "ab")
    rc.layout.views.symlink_to(outside)

    assert not find(rc).paths(rc.layout)
