"""What of a run goes to one backend, decided from the record and the route alone.

So a batch that comes again, or in parts, is routed as before. A process that resumes a run may bring
another route: each record follows the route of the generation that wrote it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from pathlib import Path
from typing import Any

import msgspec

from runcast.config import Route
from runcast.courier.closing import segments
from runcast.errors import Halt
from runcast.receipts import Change
from runcast.records import (
    Artifact,
    Define,
    Environment,
    Input,
    Media,
    Metrics,
    Model,
    Params,
    Record,
    RunStarted,
    System,
    Tags,
    Trace,
)

_NAMED = {
    Params: "params",
    Tags: "tags",
    System: "system",
    Artifact: "artifact",
    Model: "model",
    Input: "input",
    Environment: "environment",
    Trace: "trace",
}
"""Kinds that a pattern means only where it says so, as in ``params:lr``."""
_SERIES = "metrics"
"""What a pattern means that does not say: metrics, media and what is said about them."""
_KINDS = frozenset([*_NAMED.values(), _SERIES])
_DRAWS = 1 << 64


class _Rule:
    """One pattern, made ready."""

    def __init__(self, text: str) -> None:
        kind, colon, pattern = text.partition(":")
        self.text = text
        self.kind, self.pattern = (kind, pattern) if colon and kind in _KINDS else (_SERIES, text)
        self._regex = re.compile(translate(self.pattern))

    def matches(self, kind: str, name: str) -> bool:
        return kind == self.kind and self._regex.match(name) is not None


class _Rename:
    """One rule of ``rename``; a ``*`` on both sides stands for the same text."""

    def __init__(self, old: str, new: str) -> None:
        kind, colon, bare = old.partition(":")
        self.kind, old = (kind, bare) if colon and kind in _KINDS else (_SERIES, old)
        self._old, self._new = old.split("*"), new.split("*")

    def apply(self, name: str) -> str | None:
        """The new name, or None where the rule does not speak of `name`."""
        return _swap(name, self._old, self._new)

    def source(self, name: str) -> str | None:
        """The name whose new name `name` is."""
        return _swap(name, self._new, self._old)


def _swap(name: str, old: list[str], new: list[str]) -> str | None:
    if len(old) == 1:
        return new[0] if name == old[0] else None
    head, tail = old
    if len(name) < len(head) + len(tail) or not name.startswith(head) or not name.endswith(tail):
        return None
    return new[0] + name[len(head) : len(name) - len(tail)] + new[1]


class Router:
    """One route, made ready; the same record always gets the same answer."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._include = [_Rule(text) for text in route.include]
        self._exclude = [_Rule(text) for text in route.exclude]
        self._rename = [_Rename(old, new) for old, new in route.rename.items()]
        self._included = {rule.kind for rule in self._include}

    def apply(self, record: Record, tell: Callable[[Change], None]) -> Record | None:
        """The record as the backend gets it, or None where nothing of it goes there."""
        if isinstance(record, (Metrics, Params, Tags, System, Environment)):
            return self._apply_to_values(record, tell)
        if isinstance(record, (Media, Define)):
            step = record.step if isinstance(record, Media) else None
            key = self._name(_SERIES, record.key, tell, step)
            return None if key is None else _renamed(record, key=key)
        if isinstance(record, (Artifact, Model, Input)):
            name = self._name(_NAMED[type(record)], record.name, tell)
            return None if name is None else _renamed(record, name=name)
        if isinstance(record, Trace):
            name = record.spans[0].name if record.spans else ""
            return record if self._passes("trace", name, tell) else None
        return record  # how the run began and ended, what was lost, its description

    def _apply_to_values(
        self, record: Metrics | Params | Tags | System | Environment, tell: Callable[[Change], None]
    ) -> Record | None:
        kind = _NAMED.get(type(record), _SERIES)
        step = record.step if isinstance(record, Metrics) else None
        values: dict[str, Any] = {}
        same = True
        for name, value in record.values.items():
            new = self._name(kind, name, tell, step)
            same = same and new == name
            if new is not None:
                values[new] = value
        if isinstance(record, Environment):
            files = [file for file in record.files if self._passes(kind, file.path, tell)]
            return msgspec.structs.replace(record, values=values, files=files) if values or files else None
        if same:
            return record
        return msgspec.structs.replace(record, values=values) if values else None

    def _name(
        self, kind: str, name: str, tell: Callable[[Change], None], step: int | None = None
    ) -> str | None:
        """What `name` is called there, or None where it does not go there."""
        if not self._passes(kind, name, tell):
            return None
        if step is not None and not self._is_drawn(name, step):
            tell(Change("degraded", name, self._share()))
            return None
        return self._new_name(kind, name, tell)

    def _passes(self, kind: str, name: str, tell: Callable[[Change], None]) -> bool:
        if kind in self._included and not any(rule.matches(kind, name) for rule in self._include):
            tell(Change("skipped", name, "held back by its route: no pattern of `include` matches"))
            return False
        for rule in self._exclude:
            if rule.matches(kind, name):
                tell(Change("skipped", rule.text, "held back by its route (exclude)"))
                return False
        return True

    def _new_name(self, kind: str, name: str, tell: Callable[[Change], None]) -> str | None:
        rules = [rule for rule in self._rename if rule.kind == kind]
        for rule in rules:
            new = rule.apply(name)
            if new is not None:
                if new != name:
                    tell(Change("renamed", name, f"{new}, by its route"))
                return new
        for rule in rules:
            source = rule.source(name)
            if source is not None:
                why = f"held back by its route: its name is given to {source!r}; rename this one too"
                tell(Change("skipped", name, why))
                return None
        return name

    def _is_drawn(self, name: str, step: int) -> bool:
        route = self._route
        if step % route.every:
            return False
        if route.sample >= 1:
            return True
        drawn = hashlib.blake2b(f"{name}\0{step}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
        return int.from_bytes(drawn, "big") < route.sample * _DRAWS

    def _share(self) -> str:
        route = self._route
        parts = [f"one step in {route.every}"] if route.every > 1 else []
        parts += [f"a share of {route.sample:g} of its points"] if route.sample < 1 else []
        return f"its route lets through {' and of those '.join(parts)}"


def _renamed(record: Any, **name: str) -> Any:
    ((field, value),) = name.items()
    return record if getattr(record, field) == value else msgspec.structs.replace(record, **name)


class Routing:
    """The routes of one run to one backend, by the generation of the writer.

    Args:
        folder: the run's journal folder.
        backend: the backend's name.
    """

    def __init__(self, folder: Path, backend: str) -> None:
        self._folder = folder
        self._backend = backend
        self._by_writer: dict[str, Router | None] = {}

    def apply(self, batch: Sequence[Record]) -> tuple[list[Record], list[Change]]:
        """What of `batch` goes to the backend, and what was held back or renamed, each thing once."""
        if {record.writer for record in batch} - self._by_writer.keys():
            self._learn({record.writer for record in batch})
        if not any(self._by_writer.values()):
            return list(batch), []
        changes: dict[tuple[str, str], Change] = {}

        def tell(change: Change) -> None:
            changes[change.what, change.key] = change

        routed = []
        for record in batch:
            router = self._by_writer.get(record.writer)  # another rank may be ahead of the one that began
            kept = router.apply(record, tell) if router else record
            if kept is not None:
                routed.append(kept)
        return routed, list(changes.values())

    def _learn(self, writers: set[str]) -> None:
        generations: dict[str, int] = {}
        began: dict[int, RunStarted] = {}
        for _, found in segments(self._folder):
            generations[found.header.writer] = found.header.generation
            first = found.first
            if isinstance(first, RunStarted):
                before = began.get(found.header.generation)
                if before is None or first.time < before.time:
                    began[found.header.generation] = first
        routers = {generation: self._router(began[generation]) for generation in sorted(began)}
        for writer in writers | generations.keys():
            generation = generations.get(writer, 0)
            if generation in routers:
                self._by_writer[writer] = routers[generation]

    def _router(self, started: RunStarted) -> Router | None:
        table = started.routes.get(self._backend)
        if not table:
            return None
        try:
            return Router(msgspec.convert(table, Route))
        except msgspec.ValidationError as error:
            raise Halt(f"{self._backend}: the route in the journal cannot be understood: {error}") from None
