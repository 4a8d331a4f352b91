"""The difference of two runs as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from runcast.catalog import page
from runcast.catalog.svg import escape
from runcast.catalog.texts import shorten, value
from runcast.reproduce.diff import Difference
from runcast.reproduce.surroundings import Row

_LONG = 500


def render(found: Difference) -> str:
    """The page; every name and value in it is escaped."""
    lead = " → ".join(found.labels)
    return page.document("Difference of two runs", lead, _body(found))


def _body(found: Difference) -> Iterator[str]:
    yield from page.sections(found.comparison)
    yield from _table("Code", found.labels, found.code)
    yield from _lines("Files that differ between the commits", found.files)
    yield from _lines("Uncommitted changes", found.patch)
    yield from _table("Packages", found.labels, list(package_rows(found)))
    yield from _table("Environment", found.labels, [found.seeds, *found.machine])
    yield from _table("Data", found.labels, found.data)


def package_rows(found: Difference) -> Iterator[Row]:
    """Packages that differ, by name; None where one is not installed."""
    changed = {name: Row(name, *both) for name, both in found.packages.changed.items()}
    changed |= {name: Row(name, None, version) for name, version in found.packages.added.items()}
    changed |= {name: Row(name, version, None) for name, version in found.packages.removed.items()}
    for name in sorted(changed):
        yield changed[name]


def text(anything: Any) -> str:
    """A fact as people read it."""
    return "—" if anything in (None, []) else value(anything)


def _table(title: str, labels: Iterable[str], rows: list[Row]) -> Iterator[str]:
    if not rows:
        return
    heads = "".join(f"<th>{escape(label)}</th>" for label in labels)
    yield f'<h2>{title}</h2><div class="scroll"><table><thead><tr><th></th>{heads}</tr></thead><tbody>'
    for row in rows:
        mark = ' class="differs"' if row.differs else ""
        cells = "".join(f"<td>{escape(shorten(text(side), _LONG))}</td>" for side in (row.one, row.other))
        yield f"<tr{mark}><th>{escape(row.key)}</th>{cells}</tr>"
    yield "</tbody></table></div>"


def _lines(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"<h2>{title}</h2><pre>" + "\n".join(escape(line) for line in lines) + "</pre>"
