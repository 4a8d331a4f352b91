"""Files by their content: stored once, private, read-only, whole."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import socket
from pathlib import Path

import pytest

from runcast.journal import Blobs

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"  # Python 3.12 warns of forks; two processes at once are tested here
)
DATA = os.urandom(3_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A store whose folder does not exist yet."""
    return Blobs(tmp_path / "store" / "blobs")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of a few chunks."""
    path = tmp_path / "model.bin"
    path.write_bytes(DATA)
    return path


def leftovers(blobs: Blobs) -> list[Path]:
    """Files that are no blobs."""
    return [p for p in blobs.root.rglob("*") if p.is_file() and p != blobs.path(p.name)]


@pytest.mark.parametrize("sync", [False, True])
def test_file_and_bytes_of_one_content_are_one_blob(tmp_path: Path, source: Path, sync: bool) -> None:
    """The digest is sha256, the size is right, and a second copy takes no room."""
    blobs = Blobs(tmp_path / "blobs", sync=sync)
    assert blobs.put_file(source) == (DIGEST, len(DATA))
    assert blobs.put_bytes(DATA) == (DIGEST, len(DATA))
    assert blobs.put_file(source) == (DIGEST, len(DATA))
    (path,) = [p for p in blobs.root.rglob("*") if p.is_file()]

    assert path == blobs.path(DIGEST) == blobs.root / DIGEST[:2] / DIGEST
    assert path.read_bytes() == DATA


def test_only_the_user_can_read_and_nobody_write(blobs: Blobs, source: Path) -> None:
    """Files 0400, folders 0700, whatever the source allowed."""
    source.chmod(0o777)
    blobs.put_file(source)

    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o400
    assert {f.stat().st_mode & 0o777 for f in (blobs.root, blobs.root / DIGEST[:2])} == {0o700}


def test_an_empty_file_is_a_file(blobs: Blobs, tmp_path: Path) -> None:
    """No content is a content."""
    (tmp_path / "empty").touch()
    digest, size = blobs.put_file(tmp_path / "empty")

    assert (digest, size) == (hashlib.sha256().hexdigest(), 0)
    assert blobs.path(digest).read_bytes() == b""


def test_a_file_cut_by_a_loss_of_power_is_mended(blobs: Blobs, source: Path) -> None:
    """A blob of the wrong size is replaced by the next who brings the content."""
    blobs.put_bytes(DATA)
    blobs.path(DIGEST).chmod(0o600)
    blobs.path(DIGEST).write_bytes(b"")
    blobs.put_file(source)

    assert blobs.path(DIGEST).read_bytes() == DATA


def test_a_short_write_is_never_kept(blobs: Blobs, source: Path) -> None:
    """A full disk takes part of a write without an error: the call fails, no cut blob, no rubbish."""
    pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, 2_500_000))
            try:
                blobs.put_file(source)
            except OSError:
                os._exit(0)
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [p for p in blobs.root.rglob("*") if p.is_file()] == []


def test_what_is_no_plain_file_is_refused_at_once(blobs: Blobs, tmp_path: Path) -> None:
    """A FIFO would block for ever; a folder, a socket and a missing file are named; no descriptor leaks."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
        before = len(list(Path("/proc/self/fd").iterdir()))
        for name in ("fifo", "dir", "sock", "missing", "dangling", "dir/"):
            with pytest.raises(OSError, match=name.rstrip("/")):
                blobs.put_file(tmp_path / name)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert not blobs.root.exists()


def test_a_link_stands_for_the_file_it_leads_to(blobs: Blobs, source: Path, tmp_path: Path) -> None:
    """The content is copied, never the link."""
    link = tmp_path / "link"
    link.symlink_to(source)
    blobs.put_file(link)

    assert not blobs.path(DIGEST).is_symlink()
    assert blobs.path(DIGEST).read_bytes() == DATA


def test_a_file_that_changes_later_leaves_its_blob_alone(blobs: Blobs, source: Path) -> None:
    """What is stored is the content at the call."""
    blobs.put_file(source)
    source.write_bytes(b"new")

    assert blobs.path(DIGEST).read_bytes() == DATA


def test_processes_that_store_one_content_at_once_do_not_disturb_each_other(
    blobs: Blobs, source: Path
) -> None:
    """Four processes, one content: one whole blob, nothing left over."""
    pids = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(5):
                    assert blobs.put_file(source) == (DIGEST, len(DATA))
                    assert blobs.path(DIGEST).stat().st_size == len(DATA)
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)

    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
    assert blobs.path(DIGEST).read_bytes() == DATA
    assert leftovers(blobs) == []
