"""Several who promote at once, their requests in any order, drawn by chance; and death among them."""

from __future__ import annotations

import math
import threading
from random import Random

import pytest

from runcast.errors import PromotionError
from runcast.plugins.registry import ABANDONED, Event

from .toy import Killed, Shelf, opened


class Time:
    """Lets one thread of several go on at a time: the one whose request is answered next."""

    def __init__(self, chance: Random, names: list[str]) -> None:
        self._chance = chance
        self._took = {name: 0.001 * 100 ** chance.random() for name in names}
        self._changed = threading.Condition()
        self._until = dict.fromkeys(names, math.inf)
        self._now, self._missing = 0.0, set(names)

    def request(self, name: str) -> None:
        """Wait for an answer, as long as this one usually does; now and then that changes."""
        if self._chance.random() < 0.1:
            self._took[name] = 0.001 * 100 ** self._chance.random()
        self.sleep(name, self._took[name] * self._chance.uniform(0.2, 2))

    def sleep(self, name: str, seconds: float) -> None:
        """Wait for so many seconds."""
        with self._changed:
            self._until[name] = self._now + seconds
            self._missing.discard(name)
            self._changed.notify_all()
            while self._missing or min(self._until, key=lambda other: self._until[other]) != name:
                assert self._changed.wait(60)
            self._now = self._until[name]
            self._missing.add(name)

    def leave(self, name: str) -> None:
        """This one needs no more time."""
        with self._changed:
            self._missing.discard(name)
            del self._until[name]
            self._changed.notify_all()


def crowd(shelf: Shelf, chance: Random, wanted: dict[str, str], dies: str = "") -> dict[str, str]:
    """Everybody promotes a version, or rolls back ("undo"); gives what each was told, "" where they won."""
    time, told = Time(chance, list(wanted)), dict[str, str]()
    death = chance.randrange(1, 25) if dies else 0

    def move(name: str, version: str) -> None:
        def before(request: int) -> None:
            time.request(name)
            if name == dies and request == death:
                raise Killed

        try:
            one = opened(shelf, before, by=name, sleep=lambda seconds: time.sleep(name, seconds))
            one.rollback("m") if version == "undo" else one.promote(f"m:{version}", "production")
            told[name] = ""
        except PromotionError as error:
            told[name] = str(error)
        except Killed:
            pass
        finally:
            time.leave(name)

    threads = [threading.Thread(target=move, args=who) for who in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return told


def one_chain(shelf: Shelf) -> list[Event]:
    """The moves, each from where the one before it went, the last to where the alias is."""
    moves = [e for e in opened(shelf).history("m") if e.alias and e.state != "lost"]
    assert [move.previous for move in moves] == [None, *(move.version for move in moves[:-1])]
    assert shelf.aliases["production"] == moves[-1].version
    assert {move.state for move in moves} == {"done"}
    assert {move.action for move in moves} <= {"promoted", "rolled back"}, "nobody has moved it by hand"
    return moves


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_somebody_wins_and_the_others_are_told(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order of all requests."""
    for seed in range(first, first + 100):
        chance, shelf = Random(seed), Shelf(5)  # noqa: S311  # repeatable, not secret
        monkeypatch.setattr("os.urandom", chance.randbytes)  # the ids of events
        opened(shelf).promote("m:1", "production")
        wanted = {f"p{n}": str(chance.randrange(2, 6)) for n in range(2 + seed % 3)}
        told = crowd(shelf, chance, wanted)
        moves = one_chain(shelf)
        won = {name for name, words in told.items() if not words}
        assert won, (seed, told)
        assert {int(wanted[name]) for name in won} == {move.version for move in moves[1:]}, (seed, told)
        assert all("somebody else" in t or "right now" in t for t in told.values() if t), (seed, told)


def test_some_promote_and_some_roll_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The alias leaves a version and comes back to it: who had decided before that is told."""
    for seed in range(300):
        chance, shelf = Random(seed), Shelf(5)  # noqa: S311  # repeatable, not secret
        monkeypatch.setattr("os.urandom", chance.randbytes)
        opened(shelf).promote("m:1", "production")
        opened(shelf).promote("m:2", "production")
        wanted = {f"p{n}": chance.choice(["3", "4", "5", "undo", "undo"]) for n in range(3 + seed % 4)}
        told = crowd(shelf, chance, wanted)
        moves = one_chain(shelf)
        assert "" in told.values(), (seed, told)
        by = {move.who: move for move in moves}
        for name, words in told.items():
            if not words and wanted[name] != "undo":
                assert int(wanted[name]) in {move.version for move in moves}, (seed, told)
            assert not words or name not in by, (seed, told)


def test_one_of_them_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever promotes later finishes or undoes what it began; who was told to have won has."""
    for seed in range(200):
        chance, shelf = Random(seed), Shelf(6)  # noqa: S311  # repeatable, not secret
        monkeypatch.setattr("os.urandom", chance.randbytes)  # the ids of events
        opened(shelf).promote("m:1", "production")
        wanted = {f"p{n}": str(n + 2) for n in range(2 + seed % 3)}
        told = crowd(shelf, chance, wanted, dies="p0")
        opened(shelf, now=1 + ABANDONED).promote("m:6", "production")
        moves = one_chain(shelf)
        assert {int(wanted[n]) for n, words in told.items() if not words} <= {move.version for move in moves}
        assert moves[-1].version == 6
        assert all(event.state != "begun" for event in shelf.events.values())
