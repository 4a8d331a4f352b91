"""Whether a process lives, by a lock that dies with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runcast.journal import ProcessLock, is_alive

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*fork:DeprecationWarning"  # Python 3.12 warns of the very thing that is tested here
)


@pytest.fixture
def alive(tmp_path: Path) -> Path:
    """The folder of locks."""
    return tmp_path / "alive"


class Other:
    """Another process that holds a lock, and perhaps a child of its own."""

    def __init__(self, folder: Path, *, with_child: bool = False) -> None:
        out_read, out_write = os.pipe()
        self.child = 0
        self.pid = os.fork()
        if self.pid == 0:
            try:
                lock = ProcessLock(folder)
                child = os.fork() if with_child else 0
                if child or not with_child:
                    os.write(out_write, f"{lock.name} {child}\n".encode())
                signal.pause()
            finally:
                os._exit(1)
        os.close(out_write)
        with os.fdopen(out_read) as answer:
            self.name, child_text = answer.readline().split()
        self.child = int(child_text)

    def kill(self) -> None:
        """As a crash would."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def others() -> Iterator[list[Other]]:
    """Processes to clean away."""
    made: list[Other] = []
    yield made
    for other in made:
        for pid in (other.pid, other.child):
            if pid:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue


def test_this_process_lives_until_it_lets_go(alive: Path) -> None:
    """The owner's own question is answered without touching the lock, and does not break it."""
    lock = ProcessLock(alive)
    assert is_alive(alive, lock.name)
    assert is_alive(alive, lock.name)
    assert (alive / lock.name).stat().st_mode & 0o777 == 0o600
    lock.release()
    lock.release()

    assert not is_alive(alive, lock.name)
    assert list(alive.iterdir()) == []


def test_another_spelling_of_the_folder_does_not_let_the_lock_go(
    alive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked through a link, or a relative path after a chdir, the owner still lives, for others too."""
    lock = ProcessLock(alive)
    link = tmp_path / "link"
    link.symlink_to(alive)
    monkeypatch.chdir(alive)
    assert is_alive(link, lock.name)
    assert is_alive(Path(), lock.name)

    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if is_alive(alive, lock.name) else 3)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lock.release()


def test_another_process_lives_until_kill_9(alive: Path, others: list[Other]) -> None:
    """The kernel lets the lock go, whatever kills the process; the question does not change the answer."""
    others.append(other := Other(alive))
    assert is_alive(alive, other.name)
    assert is_alive(alive, other.name)
    other.kill()

    assert not is_alive(alive, other.name)
    assert not is_alive(alive, other.name)


def test_a_lingering_child_does_not_keep_its_parent_alive(alive: Path, others: list[Other]) -> None:
    """A data loader's worker that outlives the trainer does not hold the trainer's lock."""
    others.append(other := Other(alive, with_child=True))
    assert is_alive(alive, other.name)
    other.kill()

    os.kill(other.child, 0)  # it lives
    assert not is_alive(alive, other.name)


def test_a_child_that_exits_does_not_let_its_parents_lock_go(alive: Path) -> None:
    """A forked child releases what it inherited and exits: the parent's lock and file stay."""
    lock = ProcessLock(alive)
    pid = os.fork()
    if pid == 0:
        try:
            lock.release()
            os._exit(0 if is_alive(alive, lock.name) else 3)
        finally:
            os._exit(1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if is_alive(alive, lock.name) else 3)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lock.release()


def test_many_who_look_at_once_agree_that_it_is_dead(alive: Path, others: list[Other]) -> None:
    """A look does not get into the way of another look."""
    others.append(other := Other(alive))
    other.kill()
    answers: list[bool] = []

    def look() -> None:
        answers.extend(is_alive(alive, other.name) for _ in range(300))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(answers) == {False}


def test_what_cannot_be_looked_at_counts_as_alive(alive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of another user's: nobody closes a run because of a missing permission."""
    alive.mkdir()
    (alive / "abc").touch()

    def refuse(*arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("runcast.journal.liveness.os.open", refuse)
    assert is_alive(alive, "abc")


@pytest.mark.parametrize("name", ["", "nothere", "../secret", "."])
def test_a_name_without_a_lock_is_dead(alive: Path, name: str) -> None:
    """Nobody's lock, and a name that leads elsewhere, are nobody's life."""
    alive.mkdir()
    (alive.parent / "secret").touch()

    assert not is_alive(alive, name)
