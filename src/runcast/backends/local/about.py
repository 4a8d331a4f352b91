"""What the local catalog is good for and what it costs, for the selector."""

from __future__ import annotations

from runcast.plugins.description import Description

DESCRIPTION = Description(
    title="runcast's own catalog",
    hosting=frozenset({"self-hosted"}),
    needs=frozenset({"offline", "no-account", "no-server"}),
    strengths=("always there: runs are listed, compared and plotted with no other tracker installed",),
    price_note="free software; files on a disk",
)
