"""Who brings the files of artifacts and media to the disk, and when."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import runcast
from runcast.courier.supervisor import Supervisor
from runcast.courier.syncing import UNSYNCED, FileSyncer
from runcast.journal import Blobs, FileOps, Layout, hold_bytes

PIXELS = [[0, 128], [255, 3]]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files and folders of which this process waited until they were on the disk."""
    found: list[Path] = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda fd: found.append(Path(f"/proc/self/fd/{fd}").readlink()))
    return found


def files(layout: Layout) -> list[Path]:
    """Every stored file."""
    return [path for path in layout.blobs.rglob("*") if path.is_file()]


def script(project: Path, durability: str) -> Layout:
    """Log a small file, a large one and an image."""
    (project / "small.txt").write_bytes(b"small")
    (project / "large.bin").write_bytes(bytes(2 << 20))
    run = runcast.start("e", backends=["local"], config={"durability": durability, "delivery": "later"})
    run.log_artifact([project / "small.txt", project / "large.bin"], "data")
    run.log({"image": runcast.Image(PIXELS)}, step=0)
    run.finish()
    return Layout(project / ".runcast")


def test_with_fsync_files_are_on_the_disk_when_the_call_returns(project: Path, synced: list[Path]) -> None:
    """Each stored file was synced, under its own or its earlier name, and so was the folder it stands in."""
    layout = script(project, "fsync")
    stored = files(layout)
    assert len(stored) == 3
    assert {path.parent for path in stored} <= set(synced)
    assert len([path for path in synced if layout.blobs in path.parents and not path.is_dir()]) >= 3


def test_without_it_the_script_never_waits_for_the_disk(project: Path, synced: list[Path]) -> None:
    """Not one sync in the training process."""
    assert files(script(project, "kernel"))
    assert synced == []


def test_the_courier_syncs_files_beside_the_records_that_name_them(project: Path, synced: list[Path]) -> None:
    """After one look of the courier every file, and its folder, is on the disk."""
    layout = script(project, "kernel")
    [run] = layout.run_ids()
    supervisor = Supervisor(layout, "", None, once=True)
    supervisor.add(run, {})
    supervisor.turn()
    supervisor.stop()
    stored = files(layout)
    assert {*stored, *(path.parent for path in stored)} <= set(synced)


def test_only_what_is_new_is_synced(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look costs nothing; a snapshot that grew meanwhile is synced again, an old file never."""
    layout = Layout(tmp_path)
    blobs = Blobs(layout.blobs)
    digest, _ = blobs.put_bytes(b"content")
    held = layout.blobs / "held" / hold_bytes(blobs, b"begin")[0]
    syncer = FileSyncer(layout)
    syncer.sync()
    assert {blobs.path(digest), held} <= set(synced)
    synced.clear()

    syncer.sync()
    assert synced == []
    held.chmod(0o600)
    with held.open("ab") as file:
        file.write(b"more")
    syncer.sync()
    assert held in synced
    assert blobs.path(digest) not in synced
    synced.clear()

    monkeypatch.setattr("time.time_ns", lambda: os.stat(held).st_ctime_ns + int(2e9 * UNSYNCED))
    FileSyncer(layout).sync()
    assert synced == []


def test_a_disk_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose sync failed is synced by the next look, also where nothing else has changed."""
    layout = Layout(tmp_path)
    path = Blobs(layout.blobs).path(Blobs(layout.blobs).put_bytes(b"content")[0])
    for folder in (layout.blobs, path.parent):
        os.utime(folder, (0, 0))  # long quiet
    asked: list[Path] = []

    class Disk(FileOps):
        def sync_path(self, path: Path) -> None:
            asked.append(path)
            if len(asked) == 1:
                raise OSError(errno.EIO, "Input/output error")

    syncer = FileSyncer(layout, Disk())
    for _ in range(3):
        syncer.sync()
    assert [one for one in asked if one == path] == [path, path]


def test_links_and_pipes_among_the_files_are_left_alone(tmp_path: Path, synced: list[Path]) -> None:
    """A forged folder leads the courier neither out of it nor into a pipe."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"")
    layout = Layout(tmp_path / "rc")
    (layout.blobs / "aa").mkdir(parents=True)
    for name in ("bb", "held"):
        (layout.blobs / name).symlink_to(outside)
    (layout.blobs / "aa" / "link").symlink_to(outside / "file")
    os.mkfifo(layout.blobs / "aa" / "pipe")
    FileSyncer(layout).sync()
    assert synced == []
