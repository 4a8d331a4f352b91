"""Moving aliases in trackers that cannot compare and set: the history decides, the aliases follow.

Whoever moves an alias first writes down an event that says where the alias is now. `effective` tells from the
events alone which of two that say the same is the one; the alias is moved after that. Let A and B do so
at once: either B still sees the alias where it was after writing its event, then A's move came later, and A,
who looks once more after moving, sees B's event; or B sees that the alias has moved. So both never believe
to have won, whatever the order of their requests, provided that the tracker's answers hold what was written
before.
"""

from __future__ import annotations

from abc import abstractmethod

from runcast.plugins.registry import Event, Registry, effective, lost


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

    def move(self, name: str, event: Event) -> None:
        """Write down, compare, place, look once more."""
        if event.action == "noticed":
            self.write_event(name, event.model_copy(update={"state": "done"}))
            return
        self.write_event(name, event)
        now = self._holder(name, event.alias)
        if not self._won(name, event) or now not in (event.previous, event.version):
            self.write_event(name, event.model_copy(update={"state": "lost"}))
            raise lost(name, event, self._holder(name, event.alias))
        self.place(name, event.alias, event.version)
        if not self._won(name, event):
            self.write_event(name, event.model_copy(update={"state": "lost"}))
            winner = effective(self.events(name), event.alias)
            place = winner[-1].version if winner else None
            self.place(name, event.alias, place)
            raise lost(name, event, place)
        self.finish(name, event)

    def finish(self, name: str, event: Event) -> None:
        """Place the alias and mark the event as done."""
        if self._holder(name, event.alias) != event.version:
            self.place(name, event.alias, event.version)
        self.archived(name, event)
        self.write_event(name, event.model_copy(update={"state": "done"}))

    def _won(self, name: str, event: Event) -> bool:
        return event.id in {known.id for known in effective(self.events(name), event.alias)}

    def _holder(self, name: str, alias: str) -> int | None:
        return next((v.version for v in self.versions(name) if alias in v.aliases), None)
