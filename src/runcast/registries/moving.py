"""Moving aliases in trackers that cannot compare and set: the history decides, the aliases follow.

Whoever moves an alias first writes down an event that says where the alias is now. Then it looks whether the
alias is still there and its event comes right after those that are done and before all others. Then it places
the alias, and looks at the events once more.

Never two have won. Let A have looked the last time, and B's event come before A's in the order: then B wrote
it after that look, so after A had placed the alias, and B's first look sees that it has moved, or, if it has
come back since, that there is something done which B's event does not follow.

One has won. Of those who placed the alias, each waits until what comes before its own event is decided.
Whoever has placed nothing gives way at once; so the first of the order among the others comes to its end.

All this holds provided that the tracker's answers contain what was written before.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from typing import Literal

from runcast.plugins.registry import Event, Registry, effective, holder, lost

_PAUSES = (0.05, 0.1, 0.2, 0.4, *[1.0] * 30)
"""s; after that, whoever is waited for counts as dead: half of the time after which others take over."""

_ALIVE = 5
"""So many of these pauses somebody gets who may live, before another one goes on in their place."""


class Moving(Registry):
    """A registry whose tracker has no transactions."""

    @abstractmethod
    def write_event(self, name: str, event: Event) -> None:
        """Keep an event, in the place of an earlier one with its id."""

    @abstractmethod
    def place(self, name: str, alias: str, version: int | None) -> None:
        """Point an alias to a version; repeating it changes nothing."""

    def archived(self, name: str, event: Event) -> None:  # not every tracker shows it
        """Show people, in the tracker's own way, which stage the versions of this event are in."""

    def wait(self, seconds: float) -> None:
        """Let others go on."""
        time.sleep(seconds)

    def move(self, name: str, event: Event) -> None:
        """Write down, look, place, look once more."""
        if event.action == "noticed":
            self._mark(name, event, "done")
            return
        self.write_event(name, event)
        now, events = self._holder(name, event.alias), self.events(name)
        if _state(events, event) == "done":
            return  # somebody took us for dead, and finished it
        if now != event.previous or not _moves(events, event) or not _follows(events, event):
            self._mark(name, event, "lost")
            raise lost(name, event, self._holder(name, event.alias))
        self.place(name, event.alias, event.version)
        if not self._stands(name, event):
            self._withdraw(name, event)
            raise lost(name, event, self._holder(name, event.alias))
        self._complete(name, event)

    def finish(self, name: str, event: Event) -> None:
        """Go on where somebody died: complete the move, or undo what others were faster than."""
        for pause in _PAUSES[:_ALIVE]:
            if event not in self.events(name):
                return  # it has been decided
            self.wait(pause)
        versions = self.versions(name)
        is_there = event.version is None or any(v.version == event.version for v in versions)
        if (
            is_there
            and holder(versions, event.alias) in (event.previous, event.version)
            and self._stands(name, event)
        ):
            self._complete(name, event)
        else:
            self._withdraw(name, event)

    def _stands(self, name: str, event: Event) -> bool:
        """Whether the event moves the alias, once those before it are decided."""
        for pause in (*_PAUSES, None):
            events = self.events(name)
            if _moves(events, event):
                return True
            decided = [known for known in events if known.state != "begun" or known.id == event.id]
            if pause is None or not _moves(decided, event):
                break
            self.wait(pause)
        return False

    def _complete(self, name: str, event: Event) -> None:
        events = self.events(name)
        if _state(events, event) == "done" and effective(events, event.alias)[-1].id != event.id:
            return  # finished by somebody else, and others have moved the alias since
        if self._holder(name, event.alias) != event.version:
            self.place(name, event.alias, event.version)
        self.archived(name, event)
        self._mark(name, event, "done")

    def _withdraw(self, name: str, event: Event) -> None:
        """Take the alias back, and only then say so: until then everybody sees that it may be elsewhere."""
        if self._holder(name, event.alias) == event.version:
            moves = effective(_done(self.events(name)), event.alias)
            self.place(name, event.alias, moves[-1].version if moves else None)
        self._mark(name, event, "lost")

    def _mark(self, name: str, event: Event, state: Literal["done", "lost"]) -> None:
        self.write_event(name, event.model_copy(update={"state": state}))

    def _holder(self, name: str, alias: str) -> int | None:
        return holder(self.versions(name), alias)


def _moves(events: list[Event], event: Event) -> bool:
    return event.id in {known.id for known in effective(events, event.alias)}


def _follows(events: list[Event], event: Event) -> bool:
    """Whether nothing that is done comes after it, and it comes after nothing that is not."""
    done = _done(events)
    return effective([*done, event], event.alias) == [*effective(done, event.alias), event]


def _done(events: list[Event]) -> list[Event]:
    return [event for event in events if event.state == "done"]


def _state(events: list[Event], event: Event) -> str:
    return next((known.state for known in events if known.id == event.id), "")
