"""A source with registered models whose files a test writes as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.plugins.registry import Event, ModelVersion, RegisteredModel
from runcast.records import FileRef

from .toy import Toy


class Shelf(Toy):
    """A `Toy` that has a registry.

    Attributes:
        models: name → the model.
        gone: "name:number" of versions whose files are not there any more.
    """

    name: ClassVar[str] = "toy"

    def __init__(self, address: str = "shelf") -> None:
        super().__init__(address)
        self.models: dict[str, RegisteredModel] = {}
        self.gone: set[str] = set()

    def registered(self) -> Iterator[RegisteredModel]:
        yield from self.models.values()

    def files(self, version: ModelVersion, blobs: Blobs) -> list[FileRef]:
        if f"{version.name}:{version.version}" in self.gone:
            raise SourceError(f"the files of {version} are gone")
        sha, size = blobs.put_bytes(f"weights of {version}".encode())
        return [FileRef("sub/w.bin", sha, size)]

    def put(self, name: str, *versions: ModelVersion, events: list[Event] | None = None, **more: Any) -> None:
        """Have a model, in the place of an earlier one of its name."""
        self.models[name] = RegisteredModel(name=name, versions=list(versions), events=events or [], **more)


def a_version(number: int, name: str = "net", **more: Any) -> ModelVersion:
    """One version."""
    return ModelVersion(registry="toy", name=name, version=number, created=1_700_000_000_000_000_000, **more)


def moved(number: int, alias: str, to: int, before: int | None, **more: Any) -> Event:
    """The event that moved an alias."""
    return Event(
        id=f"{number:016x}", order=number, time=number, who="ada", action="aliased", alias=alias, version=to,
        previous=before, state="done", **more,
    )  # fmt: skip
