"""What every command shares: JSON for machines, tables for people, errors with a true exit code.

Text from runs reaches the terminal only as `rich.text.Text` made by `safe`, never as markup.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from runcast.catalog.texts import shorten, visible
from runcast.catalog.values import json_in
from runcast.errors import RuncastError, UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")  # in UTF-8: some terminals obey them
FAILED = 1
MISUSED = 2
_FOLDED = 24
"""Cells beyond which a column of a narrow table is folded rather than another one left out."""
_STATUS = {"finished": "green", "running": "cyan", "failed": "red", "killed": "yellow", "crashed": "red"}


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """Turn runcast's errors into a message on stderr and an exit code.

    2 where the question was wrong (unknown run, bad condition), 1 where the answer failed.
    """
    try:
        yield
    except RuncastError as error:
        code = MISUSED if isinstance(error, UsageError) else FAILED
        typer.echo(f"error: {visible(str(error), lines=True)}", err=True)
        raise typer.Exit(code) from error


def print_json(value: Any) -> None:
    """JSON on stdout; NaN and the infinities as ``{"$float": "nan"}``, as in journals."""
    print_bytes(json_bytes(value) + b"\n")


def json_bytes(value: Any) -> bytes:
    """JSON of plain values, in UTF-8."""
    return json_in(value).encode()


def print_bytes(data: bytes) -> None:
    """JSON on stdout, whatever its encoding, with the control characters that JSON allows raw escaped."""
    typer.echo(_CONTROLS.sub(lambda match: b"\\u00%02x" % match[0][-1], data), nl=False)


def write_page(path: Path, page: str) -> None:
    """Write a file for this user alone, and say so on stderr.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w", encoding="utf-8") as handle:
            handle.write(page)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another file after --html") from error
    typer.echo(f"wrote {visible(str(path))}", err=True)


def console() -> Console:
    """A console on today's stdout that interprets nothing in what it is given."""
    from rich.console import Console

    # Piped output has no width of its own: leave room, so that nothing is cut.
    width = None if sys.stdout.isatty() else 200
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, width=width)


def safe(text: str, style: str = "", *, most: int = 0, lines: bool = False) -> Text:
    """Text from outside: control characters shown as escapes, markup not interpreted.

    Args:
        most: shorten to so many characters.
        lines: keep line breaks.
    """
    from rich.text import Text

    shown = visible(shorten(text, most) if most else text, lines=lines)
    return Text(shown, style=style)


def status_text(status: str) -> Text:
    """A run's status in its colour."""
    return safe(status, _STATUS.get(status, ""))


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str = "",
    right: Sequence[str] = (),
) -> RenderableType:
    """A table; columns named in `right` hold numbers. Strings in rows are wrapped by `safe`."""
    from rich import box
    from rich.table import Table

    made = Table(
        title=safe(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in columns:
        justify: Any = "right" if column in right else "left"
        made.add_column(safe(column), justify=justify, overflow="fold")
    for row in rows:
        made.add_row(*(safe(cell) if isinstance(cell, str) else cell for cell in row))
    return made


def fitting(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int, spare: Sequence[str]
) -> tuple[list[str], list[list[Any]]]:
    """A table's columns and rows without what a narrow terminal has no room for.

    Args:
        width: of the terminal, in cells.
        spare: columns that may go, the first one first.
    """
    from rich.cells import cell_len

    widths = [
        min(_FOLDED, max([cell_len(name), *(cell_len(str(row[number])) for row in rows)])) + 3
        for number, name in enumerate(columns)
    ]
    left = set(range(len(columns)))
    for name in spare:
        if sum(widths[number] for number in left) <= width:
            break
        left.discard(columns.index(name))
    kept = sorted(left)
    return [columns[number] for number in kept], [[row[number] for number in kept] for row in rows]
