"""Snapshots that nobody has read yet."""

from __future__ import annotations

import errno
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runcast import codec
from runcast.journal import Blobs, digest, hold, hold_bytes, hold_copy, settle
from runcast.journal.held import GONE
from runcast.records import Artifact, FileRef, Record


def held(tmp_path: Path, content: bytes = b"weights") -> tuple[Blobs, Artifact, Path]:
    """An artifact of one immutable file."""
    blobs, source = Blobs(tmp_path / "blobs"), tmp_path / "model.bin"
    source.write_bytes(content)
    taken = hold(source, blobs, immutable=True)
    assert taken is not None
    name, size = taken
    file = FileRef("model.bin", "", size, held=name)
    return blobs, Artifact(time=1, name="model", type="model", files=[file], digest=""), source


def test_a_held_file_survives_the_original(tmp_path: Path) -> None:
    """Deleting or replacing the original after the call does no harm."""
    blobs, record, source = held(tmp_path)
    source.unlink()
    settled: Artifact = settle(codec.decode(codec.encode(record)), blobs)
    assert settled.files == [FileRef("model.bin", hashlib.sha256(b"weights").hexdigest(), 7)]
    assert blobs.path(settled.files[0].sha256).read_bytes() == b"weights"
    assert settled.digest == digest(settled.files)


def test_nothing_is_read_at_the_call(tmp_path: Path) -> None:
    """A link is the same file: no byte of it was copied."""
    blobs, record, source = held(tmp_path)
    there = blobs.root / "held" / record.files[0].held
    same = there.stat().st_ino == source.stat().st_ino
    assert same or there.stat().st_nlink == 1, "a link, or where the file system can, a clone"


def test_without_leave_a_file_is_never_linked(tmp_path: Path) -> None:
    """What may still be written into is cloned, or else not held at all."""
    blobs, source = Blobs(tmp_path / "blobs"), tmp_path / "log.txt"
    source.write_bytes(b"x")
    taken = hold(source, blobs)
    assert taken is None or (blobs.root / "held" / taken[0]).stat().st_ino != source.stat().st_ino
    assert source.stat().st_nlink == 1


def test_every_reader_gets_the_same_answer(tmp_path: Path) -> None:
    """Workers of several trackers settle the same record at once, and later once more."""
    blobs, record, _ = held(tmp_path, os.urandom(3 << 20))
    with ThreadPoolExecutor(4) as pool:
        answers: list[Record] = list(pool.map(lambda _: settle(record, blobs), range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert settle(record, blobs) == answers[0]


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 32, "a" * 31, "held", "é" * 32])
def test_a_forged_name_reads_nothing(tmp_path: Path, name: str) -> None:
    """A journal from a stranger can name no file outside the store; what is not there counts as missing."""
    blobs = Blobs(tmp_path / "blobs")
    record = Artifact(time=1, name="m", type="file", files=[FileRef("a", "", 1, held=name)], digest="")
    settled: Artifact = settle(record, blobs)
    assert settled.files[0].sha256 == GONE
    assert not (tmp_path / "blobs").exists() or not list((tmp_path / "blobs").rglob("*"))


def test_a_link_among_the_snapshots_is_not_followed(tmp_path: Path) -> None:
    """Nor can a copied folder lead the courier to another file."""
    blobs = Blobs(tmp_path / "blobs")
    (blobs.root / "held").mkdir(parents=True)
    secret = tmp_path / "secret"
    secret.write_text("s")
    (blobs.root / "held" / ("1" * 32)).symlink_to(secret)
    record = Artifact(time=1, name="m", type="file", files=[FileRef("a", "", 1, held="1" * 32)], digest="")
    (file,) = settle(record, blobs).files
    assert file.sha256 == GONE
    assert not [path for path in blobs.root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Nor is a FIFO, which would block for ever."""
    with pytest.raises(OSError, match=r"plain file|directory"):
        hold(tmp_path, Blobs(tmp_path / "blobs"))


def test_bytes_can_be_held_in_parts(tmp_path: Path) -> None:
    """They become one blob, private and read-only, when they are digested."""
    blobs = Blobs(tmp_path / "blobs")
    name, size = hold_bytes(blobs, b"head", memoryview(b"body"))
    record = Artifact(time=1, name="a", type="file", files=[FileRef("a", "", size, held=name)], digest="")
    (file,) = settle(record, blobs).files

    assert (file.sha256, file.size) == (hashlib.sha256(b"headbody").hexdigest(), 8)
    assert blobs.path(file.sha256).read_bytes() == b"headbody"
    assert blobs.path(file.sha256).stat().st_mode & 0o777 == 0o400


def test_a_disk_that_is_full_leaves_no_piece(tmp_path: Path) -> None:
    """Half a file under a name that no record knows would stay for ever."""
    blobs = Blobs(tmp_path / "blobs")
    with pytest.raises(TypeError):
        hold_bytes(blobs, b"head", "no bytes")  # type: ignore[arg-type]  # stands for any failure while writing

    assert list((blobs.root / "held").iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_a_copy_is_independent_of_the_original(tmp_path: Path, size: int) -> None:
    """The kernel copies every byte; what is written into the original afterwards is not in it."""
    blobs, source = Blobs(tmp_path / "blobs"), tmp_path / "data.bin"
    content = os.urandom(size)
    source.write_bytes(content)

    name, copied = hold_copy(source, blobs)
    source.write_bytes(b"other")
    file = FileRef("data.bin", "", copied, held=name)
    settled: Artifact = settle(Artifact(time=1, name="d", type="file", files=[file], digest=""), blobs)

    assert (copied, settled.files[0].size) == (size, size)
    assert blobs.path(settled.files[0].sha256).read_bytes() == content


def test_a_copy_across_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel cannot move the bytes between two file systems, they are sent through it."""

    def refuse(*_: object) -> int:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    blobs, source = Blobs(tmp_path / "blobs"), tmp_path / "data.bin"
    source.write_bytes(b"weights" * 1000)

    name, _ = hold_copy(source, blobs)

    assert (blobs.root / "held" / name).read_bytes() == b"weights" * 1000


def test_a_copy_of_what_is_no_file_leaves_nothing(tmp_path: Path) -> None:
    """Neither a FIFO, which would block, nor a folder."""
    blobs = Blobs(tmp_path / "blobs")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match=r"is no plain file|Is a directory"):
            hold_copy(path, blobs)
    assert list((blobs.root / "held").iterdir()) == []
