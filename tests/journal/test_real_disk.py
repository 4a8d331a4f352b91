"""A real file system that is full, blocked or emptied while a run logs to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast.journal import JournalWriter


@pytest.mark.fault(
    "F07",
    how="the run's folder removed while it logs",
    outcome="told once; goes on in a new segment; what was deleted is counted",
)
def test_a_folder_deleted_in_use_is_noticed(folder: Path, metric: Any, read_all: Any) -> None:
    """Somebody removes the run's folder: told once, and what comes later goes into a new segment."""
    told = list[str]()
    writer = JournalWriter(folder, "r", on_trouble=told.append)
    for i in range(100):
        writer.append(metric(i))
    shutil.rmtree(folder.parent)
    for i in range(100, 500):
        writer.append(metric(i))
    records, damage = read_all(folder)

    assert records[-1].time == 499
    assert len(records) > 200
    assert [d.missing for d in damage] == [500 - len(records)]
    assert ["deleted while in use" in message for message in told] == [True]
    writer.close()


def test_a_file_in_the_place_of_the_folder(folder: Path, param: Any, read_all: Any) -> None:
    """The folder cannot be made until somebody clears the way."""
    now = [0.0]
    writer = JournalWriter(folder, "r", clock=lambda: now[0])
    folder.parent.parent.write_text("in the way")
    writer.append(param(1))
    assert writer.waiting == 1
    folder.parent.parent.unlink()
    now[0] = 1.0
    writer.append(param(2))

    assert [r.time for r in read_all(folder)[0]] == [1, 2]
    writer.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = shutil.which("mount") or "mount"
    command = [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is refused here")
    yield place
    subprocess.run([shutil.which("umount") or "umount", str(place)], check=True)


@pytest.mark.fault(
    "F05",
    how="a tmpfs of 256 KiB filled to the last byte",
    outcome="the same on a real file system",
)
def test_a_real_full_disk(small_disk: Path, metric: Any, read_all: Any) -> None:
    """The same on a file system that is really full, and then has room again."""
    folder = small_disk / "journal"
    now, told = [0.0], list[str]()
    writer = JournalWriter(folder, "r", clock=lambda: now[0], on_trouble=told.append)
    writer.append(metric(0))
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1000))
    for i in range(1, 200):
        writer.append(metric(i))
    assert len(told) == 1
    assert writer.waiting
    ballast.unlink()
    now[0] = 1.0
    writer.append(metric(200))
    records, damage = read_all(folder)

    assert [r.time for r in records] == list(range(201))
    assert [r.seq for r in records] == list(range(1, 202))
    assert damage == []
    writer.close()
