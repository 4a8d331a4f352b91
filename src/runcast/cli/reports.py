"""``runcast show RUN --report``: what each tracker got, and what it got in a lesser form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runcast.catalog.index import home
from runcast.cli import output
from runcast.courier.report import RunReport, report
from runcast.journal import Layout

if TYPE_CHECKING:
    from rich.console import RenderableType


def read(run: str, dir: Path | None) -> RunReport:
    """The report of one run, from its journal and its delivery folders."""
    return report(Layout(home(dir)), run)


def parts(found: RunReport) -> Iterator[RenderableType]:
    """One table of backends, then one of everything that is not as it was said."""
    yield output.table(
        ["backend", "records", "pending", "rejected", "where"],
        [(b.backend, str(b.records), str(b.pending), str(len(b.rejected)), b.url) for b in found.backends],
    )
    rows = [
        (backend.backend, change.what, change.key, change.detail)
        for backend in found.backends
        for change in backend.changes
    ]
    rows += [
        (backend.backend, "rejected", ", ".join(rejected.keys), rejected.reason)
        for backend in found.backends
        for rejected in backend.rejected
    ]
    rows += [("all", "lost", lost.key, f"{lost.reason} ({lost.count})") for lost in found.lost]
    rows += [(b.backend, "damage", "", line) for b in found.backends for line in b.damage]
    if rows:
        yield output.table(["backend", "what", "name", "detail"], rows)
    else:
        yield output.safe("every tracker has everything as it was said")
