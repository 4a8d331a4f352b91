"""What a run is as a whole, whether it stands in a folder or at a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec

from runcast.records import Define, Status, System


class HeldFile(msgspec.Struct, kw_only=True):
    """One file of an artifact.

    Attributes:
        path: inside the artifact.
        uri: where a content stays that W&B does not have; else "".
        digest, size: as W&B has them.
        fetch: gives the content's place on this disk, None where it is gone.
    """

    path: str
    uri: str = ""
    digest: str = ""
    size: int = 0
    fetch: Callable[[], Path | None] = lambda: None


class Held(msgspec.Struct, kw_only=True):
    """A version of an artifact.

    Attributes:
        use: the run used it, and did not make it.
        client_id, digest: W&B's two ways to tell versions apart.
        version: such as ``v3``; "" where only the server knows.
        made_by: id of the run that made it.
        address: ``entity/project/name:v3``; "" where only the server knows.
        files: asked for once.
    """

    name: str
    type: str
    description: str = ""
    metadata: dict[str, Any] = {}
    aliases: list[str] = []
    use: bool = False
    client_id: str = ""
    digest: str = ""
    version: str = ""
    made_by: str = ""
    address: str = ""
    files: Callable[[], list[HeldFile]] = list

    def origin(self, before: dict[str, Any]) -> dict[str, Any]:
        """Of its record: where it is now, and where it was before."""
        named = self.address or (f"{self.name}:{self.version}" if self.version else self.name)
        return {"tracker": "wandb", "id": named, **({"origin": before} if before else {})}


class Row(msgspec.Struct):
    """One row of the history; `values` has ``_step`` and ``_timestamp`` too."""

    values: dict[str, Any]


class Missing(msgspec.Struct):
    """Something that cannot be read, with the number of records that it cost at least."""

    reason: str
    count: int = 1


Event = Row | System | Held | Missing


class Files(Protocol):
    """The run's own files, those below ``files/``."""

    def get(self, path: str) -> Path | None:
        """A file's place on this disk; None where it is not there."""

    def names(self) -> list[str]:
        """Every file, sorted."""


class About(msgspec.Struct, kw_only=True):
    """A run.

    Attributes:
        started, ended: ns since 1970; `ended` None where it did not, or nobody wrote it down.
        config, summary: as W&B has them, W&B's own part included.
        names: spelled key → name, as far as the config knows.
        axes: metric → the metric that W&B shows it over.
        from_server: it may have been edited there.
        console: gives what the script printed, as a file, or None.
    """

    id: str
    url: str = ""
    entity: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    notes: str = ""
    tags: list[str] = []
    host: str = ""
    user: str = ""
    sweep: str = ""
    started: int = 0
    ended: int | None = None
    status: Status = "finished"
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    defined: list[Define] = []
    axes: dict[str, str] = {}
    environment: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    from_server: bool = False
    console: Callable[[], Path | None] = lambda: None

    @property
    def own(self) -> dict[str, Any]:
        """What runcast's backend keeps in the config."""
        found = self.config.get("runcast")
        return found if isinstance(found, dict) else {}


class Run(Protocol):
    """A run to be read."""

    about: About

    @property
    def files(self) -> Files:
        """Its own files."""

    def events(self) -> Iterator[Event]:
        """What happened, in order; may be asked for once."""
