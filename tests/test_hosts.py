"""The budget of a host, on an injected clock; two objects stand for two processes, the file is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcast import cache, hosts
from runcast.hosts import BURST, EASE, FIRST, LONGEST, WIDEST, Host, seconds
from runcast.testing import FakeClock

NAME = "tracker.test:443"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Time as all processes see it."""
    clock = FakeClock(1_800_000_000.0)
    monkeypatch.setattr(hosts, "now", clock)
    return clock


def test_all_leave_a_host_alone_that_asked_for_it(clock: FakeClock) -> None:
    """What one hears, the other heeds, until the time is over; other hosts are asked as ever."""
    assert Host(NAME).turn(0.0) == 0.0
    Host(NAME).refuse(30.0)

    clock.advance(10.0)
    assert Host(NAME).turn(5.0) == pytest.approx(20.0)
    assert Host(NAME).turn(5.0) == pytest.approx(20.0)
    assert Host("other.test:443").turn(0.0) == 0.0
    Host(NAME).refuse(5.0)  # a request that was under way: the longer time stays
    assert Host(NAME).wait() == pytest.approx(20.0)
    clock.advance(20.0)
    assert Host(NAME).turn(0.0) == 0.0


def test_turns_keep_a_distance_after_refusals(clock: FakeClock) -> None:
    """It doubles with each refusal but those of one burst, has a bound, and is gone after a while."""
    assert [Host(NAME).turn(9.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    for _ in range(5):
        Host(NAME).refuse(0.0)
    assert [Host(NAME).turn(9.0) for _ in range(3)] == pytest.approx([0.0, FIRST, 2 * FIRST])
    clock.advance(BURST)
    Host(NAME).refuse(0.0)
    turns = [Host(NAME).turn(9.0) for _ in range(3)]
    assert turns[2] - turns[1] == pytest.approx(2 * FIRST, rel=0.1)
    for _ in range(20):
        clock.advance(BURST)
        Host(NAME).refuse(0.0)
    turns = [Host(NAME).turn(9.0) for _ in range(3)]
    assert turns[2] - turns[1] == pytest.approx(WIDEST)
    clock.advance(EASE)
    turns = [Host(NAME).turn(9.0) for _ in range(3)]
    assert turns[2] - turns[1] == pytest.approx(WIDEST / 2)
    clock.advance(20 * EASE)
    assert [Host(NAME).turn(9.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("after", [1e12, float("inf")])
def test_nobody_is_held_up_for_ever(clock: FakeClock, after: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes at most, and also where the clock was set back."""
    Host(NAME).refuse(after)
    assert Host(NAME).wait() == LONGEST
    back = FakeClock(1_700_000_000.0)
    monkeypatch.setattr(hosts, "now", back)
    assert Host(NAME).wait() == LONGEST
    Host(NAME).refuse(1.0)
    back.advance(LONGEST)
    assert Host(NAME).turn(0.0) == 0.0


@pytest.mark.parametrize("content", [b"", b"no numbers", b"1 2", b"nan nan nan", b"9e99 -1 0", b"\xff" * 300])
def test_a_damaged_file_counts_as_none(clock: FakeClock, content: bytes) -> None:
    """It costs nothing, and the next refusal mends it."""
    Host(NAME).refuse(7.0)
    folder = cache.folder()
    assert folder is not None
    (path,) = (folder / "hosts").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.write_bytes(content)

    assert Host(NAME).turn(0.0) == 0.0
    Host(NAME).refuse(7.0)
    assert Host(NAME).wait() == 7.0


def test_without_a_cache_folder_each_goes_by_itself(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No home, or one that is a file: nobody fails, nobody waits."""
    (tmp_path / "file").touch()
    for place in ("", str(tmp_path / "file")):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        monkeypatch.setenv("HOME", place)
        Host(NAME).refuse(7.0)
        assert Host(NAME).turn(0.0) == 0.0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_retry_after_has_two_forms(clock: FakeClock) -> None:
    """Seconds, or a date of HTTP; all else is none."""
    assert [seconds(text) for text in ("2", "0", " 1.5 ", "120")] == [2.0, 0.0, 1.5, 120.0]
    assert seconds("Fri, 15 Jan 2027 08:00:30 GMT") == 30.0
    assert seconds("Fri, 15 Jan 2021 08:00:30 GMT") == 0.0
    odd = ("", None, "-1", "NaN", "1e9", "soon", "Fri, 99 Jan 2027 08:00:30 GMT", "9" * 30 + "x")
    assert [seconds(text) for text in odd] == [None] * len(odd)
