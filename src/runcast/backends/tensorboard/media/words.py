"""What the text dashboard shows: HTML as its source, tables, text from files."""

from __future__ import annotations

from runcast import render
from runcast.backends.tensorboard.media.medium import Medium, rendered
from runcast.backends.tensorboard.shown import code, grid, plain

_ROWS, _COLUMNS, _CELL = 100, 50, 300


def text(medium: Medium) -> None:
    """Markdown, as the text dashboard takes every text."""
    medium.words.append(_content(medium))
    medium.verbatim = True


def html(medium: Medium) -> None:
    """The source: TensorBoard runs nobody's markup."""
    medium.words.append(code(_content(medium), "html"))
    for file in medium.record.contents:
        medium.words.append(f"`{medium.keep(file)}`")
    medium.degraded("shown as source: TensorBoard does not render HTML; the whole is kept with the run")


def _content(medium: Medium) -> str:
    if medium.record.text is not None:
        return medium.record.text
    return medium.read(medium.content()).decode("utf-8", "surrogateescape")


def table(medium: Medium) -> None:
    """The first rows; the whole in a file beside."""
    file = medium.content()
    path = medium.path(file)
    columns, rows = rendered(lambda: render.table(path))
    shown = [[_cell(cell) for cell in row[:_COLUMNS]] for row in rows[:_ROWS]]
    medium.words.append(grid([str(name) for name in columns[:_COLUMNS]], shown))
    place = medium.keep(file)
    medium.words.append(f"{len(rows)} rows, {len(columns)} columns: `{place}`")
    more = len(rows) > _ROWS or len(columns) > _COLUMNS
    part = f" of up to {_ROWS} rows and {_COLUMNS} columns" if more else ""
    medium.degraded(f"shown as a text{part}; the whole is a file in the run's folder")


def _cell(value: object) -> str:
    text = plain(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
