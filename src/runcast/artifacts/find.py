"""Artifacts by name: the catalog's answer as a `StoredArtifact`."""

from __future__ import annotations

from runcast.artifacts.stored import StoredArtifact
from runcast.journal import Layout


def find(wanted: str, experiment: str, layout: Layout, *, type: str | None = None) -> StoredArtifact:
    """What ``[experiment/]name[:alias | :v3 | @digest]`` means now.

    Raises:
        UsageError: there is none, or it is of another type; the message names what is there.
    """
    from runcast.catalog import versions  # SQLite, which a script that only logs does not need

    found = versions.find(wanted, experiment, type=type, dir=layout.root)
    return StoredArtifact(found.info, layout, found.alias)
