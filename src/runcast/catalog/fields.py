"""What filters and sorting can speak of, each as an expression of SQL with parameters.

A field is a column of the run (``status``, ``start``), or a prefix and a key: ``params.lr``,
``tags.task``, ``metrics.val/acc`` (the last value), and ``first.``, ``min.``, ``max.``, ``count.`` for
a metric's other numbers.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from runcast.catalog.values import Text, text_in

Kind = Literal["text", "number", "time", "param", "metric"]

_COLUMNS: dict[str, tuple[Kind, str]] = {
    **{name: ("text", f"r.{name}") for name in ("id", "experiment", "name", "status", "parent", "job_type")},
    **{name: ("text", f"r.{name}") for name in ("user", "host", "error", "note")},
    "group": ("text", "r.group_name"),
    "points": ("number", "r.points"),
    "lost": ("number", "r.lost"),
    "start": ("time", "r.start_ns"),
    "end": ("time", "r.end_ns"),
    "duration": ("number", "(r.end_ns - r.start_ns) / 1e9"),
}
_KEYED: dict[str, tuple[Kind, str, str]] = {
    "params": ("param", "params", "number"),
    "tags": ("text", "tags", "value"),
    "metrics": ("metric", "metrics", "last"),
    "first": ("metric", "metrics", "first"),
    "min": ("metric", "metrics", "min"),
    "max": ("metric", "metrics", "max"),
    "count": ("number", "metrics", "count"),
}

NAMES = (*_COLUMNS, *(f"{prefix}.KEY" for prefix in _KEYED))
"""Every field, as messages name them."""


class Field(NamedTuple):
    """A field.

    Attributes:
        kind: which literals it can be compared with.
        table: where it stands, or "" for the run's own row, whose alias is ``r``.
        column: there; an expression for the run's own row.
        key: of the row in `table`.
    """

    kind: Kind
    table: str
    column: str
    key: Text = ""


def field(name: str) -> Field | None:
    """The field of this name, or None."""
    if name in _COLUMNS:
        kind, column = _COLUMNS[name]
        return Field(kind, "", column)
    prefix, dot, key = name.partition(".")
    if not dot or prefix not in _KEYED:
        return None
    kind, table, column = _KEYED[prefix]
    return Field(kind, table, column, text_in(key))


def order_by(field: Field, *, descending: bool) -> tuple[str, list[Text]]:
    """``ORDER BY`` terms; runs without the field come last either way."""
    if not field.table:
        value, parameters = field.column, []
    else:
        column = "COALESCE(t.number, t.json)" if field.kind == "param" else f"t.{field.column}"
        value = f"(SELECT {column} FROM {field.table} t WHERE t.run = r.n AND t.key = ?)"  # noqa: S608  # own words
        parameters = [field.key]
    if descending:
        return f"{value} DESC", parameters  # for SQLite, NULL is the smallest
    return f"{value} IS NULL, {value}", parameters * 2
