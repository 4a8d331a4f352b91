"""A registry in memory, which can be met by others, die or be down at any of its requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runcast.config import Policy
from runcast.errors import Reject
from runcast.model_registry import ModelRegistry
from runcast.plugins.registry import Candidate, Event, ModelVersion
from runcast.registries.moving import Moving

FREE = Policy(in_order=False)


class Killed(BaseException):
    """The process died here."""


class Shelf:
    """What a tracker without transactions knows; it answers in single requests."""

    def __init__(self, versions: int) -> None:
        self.versions = versions
        self.aliases: dict[str, int] = {}
        self.events: dict[str, Event] = {}


class Toy(Moving):
    """A client of a `Shelf` that does something before each of its requests."""

    def __init__(
        self, shelf: Shelf, before: Callable[[int], None], name: str, sleep: Callable[[float], None]
    ) -> None:
        self._shelf, self._before, self._requests, self.name = shelf, before, 0, name  # type: ignore[misc]
        self._sleep = sleep

    def _request(self) -> Shelf:
        self._requests += 1
        self._before(self._requests)
        return self._shelf

    def wait(self, seconds: float) -> None:
        self._sleep(seconds)

    def names(self) -> list[str]:
        self._request()
        return ["m"]

    def versions(self, name: str) -> list[ModelVersion]:
        shelf = self._request()
        if name != "m":
            return []
        held = {n: [a for a, v in shelf.aliases.items() if v == n] for n in range(1, shelf.versions + 1)}
        return [
            ModelVersion(registry=self.name, name="m", version=n, identity=f"{n:016}", aliases=a)
            for n, a in held.items()
        ]

    def register(self, candidate: Candidate) -> ModelVersion:
        raise NotImplementedError

    def update(self, *more: Any) -> None:
        raise NotImplementedError

    def fetch(self, *more: Any) -> None:
        raise NotImplementedError

    def events(self, name: str) -> list[Event]:
        return sorted(self._request().events.values(), key=lambda event: (event.order, event.id))

    def write_event(self, name: str, event: Event) -> None:
        self._request().events[event.id] = event

    def place(self, name: str, alias: str, version: int | None) -> None:
        shelf = self._request()
        if version is not None and version > shelf.versions:
            raise Reject(f"there is no version {version}")
        if version is None:
            shelf.aliases.pop(alias, None)
        else:
            shelf.aliases[alias] = version


def opened(
    shelf: Shelf,
    before: Callable[[int], None] = lambda request: None,
    by: str = "ada",
    name: str = "toy",
    now: int = 1,
    sleep: Callable[[float], None] = lambda seconds: None,
) -> ModelRegistry:
    """As one process sees the shelf."""
    toy = Toy(shelf, before, name, sleep)
    return ModelRegistry(toy, None, FREE, by=by, clock=lambda: now)  # type: ignore[arg-type]  # no files here
