"""Damaged and forged files: every reader says so in the documented way, and none hangs, writes or grows.

What ever failed stands in ``found/<target>/`` and is read first, for ever. ``make fuzz`` goes on for
``FUZZ_SECONDS`` per target and puts a new failure there.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings

from .conftest import SECONDS
from .mutations import mutated
from .targets import TARGETS

FOUND = Path(__file__).parent / "found"
PATIENCE = 5
"""Seconds that one file may take."""


@contextmanager
def in_time() -> Iterator[None]:
    """A reader that does not come back is interrupted."""

    def late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"a reader took longer than {PATIENCE} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def shallow() -> Iterator[None]:
    """Python's own limit of recursion.

    Hypothesis raises it, and other packages do, beyond what the parser of JSON has stack for.
    """
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 1000)
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def attempt(name: str, data: bytes) -> None:
    """One file; the good ones that stand beside it are made before the clock runs."""
    assert TARGETS[name].good
    with tempfile.TemporaryDirectory() as folder, in_time(), shallow():
        TARGETS[name].read(data, Path(folder))


@pytest.mark.parametrize("name", TARGETS)
def test_good_files_are_read(name: str) -> None:
    """The targets take what is undamaged."""
    for data in TARGETS[name].good:
        attempt(name, data)


@pytest.mark.parametrize(
    "path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_failed_once_does_not_fail_again(path: Path) -> None:
    """Each file that a reader once failed on."""
    attempt(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files_do_no_harm(name: str) -> None:
    """Cut, flipped, doubled, forged: only documented errors, in time, with little memory."""
    end = time.monotonic() + SECONDS
    worst: list[bytes] = []

    def explore(data: bytes) -> None:
        try:
            attempt(name, data)
        except BaseException:
            worst[:] = [data]  # the last one is the smallest
            raise

    profile = settings.get_profile("fuzz")
    if not SECONDS and name.startswith("source-"):  # a whole store each time
        profile = settings(profile, max_examples=profile.max_examples // 3)
    rounds = settings(profile)(given(mutated(*TARGETS[name].good))(explore))
    try:
        rounds()
        while time.monotonic() < end:
            rounds()
    except BaseException:
        if SECONDS and worst:
            (FOUND / name).mkdir(parents=True, exist_ok=True)
            (FOUND / name / hashlib.sha256(worst[0]).hexdigest()[:12]).write_bytes(worst[0])
        raise
