"""Tables of every library, as columns and rows of plain cells."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from runcast import codec
from runcast.media.store import Store
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize import params
from runcast.normalize.flatten import key_text
from runcast.normalize.problem import look, type_name
from runcast.redact import redact_text, redact_value

_ASIS = frozenset({int, bool, str, type(None)})


class Table(Value):
    """Rows of cells, such as predictions on a validation set.

    Args:
        rows: list of rows (with `columns`), list of dicts, dict of columns, pandas or polars data frame or
            series (an index that is more than a count becomes columns), Arrow table, or NumPy structured or
            two-dimensional array. A cell is None, a bool, a number, text, or anything JSON-like; dates become
            ISO text, everything else ``str``.
        columns: names of the columns; needed for plain rows. Of dicts and frames they choose and order.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("columns", "rows")
    type: ClassVar[str] = "table"

    def __init__(
        self,
        rows: Any,
        columns: Sequence[str] | None = None,
        *,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.rows = rows
        self.columns = columns

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        names, columns = columns_of(self.rows, None if self.columns is None else [*self.columns])
        if not names or not columns or not columns[0]:
            raise Unfit("the table is empty: it needs at least one column and one row")
        cells = [_plain(column, store) for column in columns]
        _mask(names, cells, store.secret_names)
        table = {"columns": [store.text(name) for name in names], "data": list(zip(*cells, strict=True))}
        data = {"rows": len(cells[0]), "columns": len(names)}
        return Draft(self.type, data, (store.data("table.table.json", _json(table)),))


def columns_of(rows: Any, names: list[Any] | None) -> tuple[list[str], list[list[Any]]]:
    """(names, one list of cells per column).

    Raises:
        Unfit: it is no table, or its rows differ in length.
    """
    if type(rows).__name__ == "LazyFrame":
        raise Unfit("a lazy frame has no rows yet: give frame.collect()")
    if not hasattr(rows, "columns") and callable(getattr(rows, "to_frame", None)):  # a series
        rows = rows.to_frame()
    if callable(getattr(rows, "to_pydict", None)):  # Arrow
        rows = rows.to_pydict()
    if isinstance(rows, Mapping):
        rows = {key_text(name): _cells(column) for name, column in rows.items()}
        return _even(*_chosen(rows, names))
    if hasattr(rows, "columns") and callable(getattr(rows, "__getitem__", None)):
        return _even(*_of_frame(rows, names))
    if fields := getattr(getattr(rows, "dtype", None), "names", None):
        return _even(*_chosen({name: rows[name].tolist() for name in fields}, names))
    if not hasattr(rows, "tolist") and not isinstance(rows, Iterable):
        raise Unfit(f"{type_name(rows)} is no table: give rows and columns, dicts, or a data frame")
    listed = rows.tolist() if hasattr(rows, "tolist") else list(rows)
    if not isinstance(listed, list) or isinstance(rows, (str, bytes)):
        raise Unfit(f"{type_name(rows)} is no table: give rows and columns, dicts, or a data frame")
    if listed and all(isinstance(row, Mapping) for row in listed):
        found = dict.fromkeys(key for row in listed for key in row)
        return _even(*_chosen({key_text(key): [row.get(key) for row in listed] for key in found}, names))
    return _of_rows(listed, names)


def _of_rows(rows: list[Any], names: list[Any] | None) -> tuple[list[str], list[list[Any]]]:
    if not set(map(type, rows)) <= {list, tuple}:
        rows = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
        if not all(isinstance(row, (list, tuple)) for row in rows):
            raise Unfit("each row of a table is a list of cells, or a dict")
    width = len(rows[0]) if names is None and rows else len(names or ())
    if set(map(len, rows)) - {width}:
        number, cells = next((n, len(row)) for n, row in enumerate(rows) if len(row) != width)
        raise Unfit(
            f"the rows are ragged: row {number} has {cells} cells, not {width}; fill them up with None"
        )
    titles = [str(i) for i in range(width)] if names is None else [key_text(name) for name in names]
    return titles, [list(column) for column in zip(*rows, strict=True)]


def _of_frame(frame: Any, names: list[Any] | None) -> tuple[list[str], list[list[Any]]]:
    index = getattr(frame, "index", None)
    if index is not None and type(index).__name__ != "RangeIndex" and hasattr(frame, "reset_index"):
        frame = frame.reset_index(allow_duplicates=True)
    if hasattr(frame, "iloc"):  # by place, because two columns may have one name
        columns = [frame.iloc[:, place].tolist() for place in range(len(frame.columns))]
    else:
        columns = [_cells(frame[name]) for name in frame.columns]
    titles = [_title(name) for name in frame.columns]
    return (titles, columns) if names is None else _chosen(dict(zip(titles, columns, strict=True)), names)


def _title(name: Any) -> str:
    """A column's name; the levels of a compound one joined."""
    return "/".join(key_text(part) for part in name) if isinstance(name, tuple) else key_text(name)


def _chosen(columns: dict[str, list[Any]], names: list[Any] | None) -> tuple[list[str], list[list[Any]]]:
    titles = list(columns) if names is None else [key_text(name) for name in names]
    if missing := [title for title in titles if title not in columns]:
        raise Unfit(f"there is no column {look(missing[0])}: it has {look(list(columns))}")
    return titles, [columns[title] for title in titles]


def _even(names: list[str], columns: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    lengths = [len(column) for column in columns]
    if lengths and min(lengths) != max(lengths):
        raise Unfit(
            f"the columns are ragged: from {min(lengths)} to {max(lengths)} cells; fill them with None"
        )
    return names, columns


def _cells(column: Any) -> list[Any]:
    for method in ("tolist", "to_list"):
        if callable(convert := getattr(column, method, None)):
            found = convert()
            return found if isinstance(found, list) else [found]
    if isinstance(column, (str, bytes)) or not isinstance(column, Iterable):
        raise Unfit(f"{type_name(column)} is no column: give a list of cells")
    return list(column)


def _plain(column: list[Any], store: Store) -> list[Any]:
    """Cells that JSON holds; a look at the types of a whole column is cheaper than one at each cell."""
    kinds = set(map(type, column))
    if kinds <= _ASIS:
        return column
    if kinds == {float}:  # a sum is finite only where each cell is
        return column if math.isfinite(sum(column)) else [codec.pack(cell) for cell in column]
    return [_cell(cell, store) for cell in column]


def _cell(cell: Any, store: Store) -> Any:
    kind = type(cell)
    if kind in _ASIS:
        return cell
    if kind is float:
        return codec.pack(cell)
    if isinstance(cell, Value):
        store.report(
            "media inside a table: the cell is kept as text; log it under a name of its own", look(cell)
        )
        return look(cell)
    if type(cell).__name__ in ("NaTType", "NAType"):  # pandas' missing date and missing anything
        return None
    if hasattr(cell, "isoformat"):
        return str(cell.isoformat())
    if hasattr(cell, "item") and not getattr(cell, "shape", None):
        item = cell.item()
        return _cell(item, store) if type(item) is not kind else str(cell)
    plain, problems = params({"cell": [cell]})
    store.problems += [problem._replace(key=store.key) for problem in problems]
    return codec.pack(plain["cell"][0])


def _mask(names: list[str], cells: list[list[Any]], extra: re.Pattern[str] | None) -> None:
    """Mask secrets in place. One look at all texts of a column finds that there is none, as is usual."""
    for place, (name, column) in enumerate(zip(names, cells, strict=True)):
        kinds = set(map(type, column))
        if not kinds & {str, list, dict}:
            continue
        if redact_value(name, "x", extra) != "x":  # the column's name says that secrets stand in it
            cells[place] = [redact_value(name, cell, extra) for cell in column]
            continue
        joined = "\n".join({cell for cell in column if type(cell) is str})
        if kinds & {list, dict} or redact_text(joined) != joined:
            cells[place] = [_masked(cell) for cell in column]


def _masked(cell: Any) -> Any:
    if type(cell) is str:
        return redact_text(cell)
    if type(cell) is list:
        return [_masked(part) for part in cell]
    if type(cell) is dict:
        return {_masked(name): _masked(part) for name, part in cell.items()}
    return cell


def _json(table: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(table)
    except (UnicodeEncodeError, OverflowError, ValueError):  # lone surrogates, very large integers
        return json.dumps(table, ensure_ascii=True, allow_nan=False).encode()
