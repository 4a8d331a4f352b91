"""Tables of every library, cell by cell."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runcast
from runcast.render import table

from .reading import log, lost, path_of


def read(run: runcast.Run, value: runcast.Table) -> tuple[list[str], list[list[Any]]]:
    """Log a table and read it as backends do."""
    record = log(run, value)
    columns, rows = table(path_of(record.contents[0]))
    assert record.data == {"rows": len(rows), "columns": len(columns)}
    return columns, rows


@pytest.mark.parametrize(
    "value",
    [
        runcast.Table([[1, "x"], [2, None]], ["a", "b"]),
        runcast.Table([{"a": 1, "b": "x"}, {"a": 2}]),
        runcast.Table({"a": np.array([1, 2]), "b": ["x", None]}),
        runcast.Table(pd.DataFrame({"a": [1, 2], "b": pd.Series(["x", None], dtype=object)})),
        runcast.Table([{"b": "x", "c": 0, "a": 1}, {"a": 2}], columns=["a", "b"]),
        runcast.Table([np.array([1, "x"], dtype=object), (2, None)], ("a", "b")),
    ],
)
def test_rows_dicts_columns_and_frames_give_the_same_table(run: runcast.Run, value: runcast.Table) -> None:
    """Names in order, missing cells None."""
    assert read(run, value) == (["a", "b"], [[1, "x"], [2, None]])


def test_polars_frames_are_tables(run: runcast.Run) -> None:
    """With their types."""
    frame = pl.DataFrame({"a": [1, None], "d": [dt.date(2024, 1, 2), None]})

    assert read(run, runcast.Table(frame)) == (["a", "d"], [[1, "2024-01-02"], [None, None]])


@pytest.mark.parametrize(
    "value", [pd.Series([1, 2], name="a"), pl.Series("a", [1, 2]), pa.table({"a": [1, 2]})]
)
def test_a_series_is_one_column_and_arrow_is_read(run: runcast.Run, value: Any) -> None:
    """What people have in hand beside frames."""
    assert read(run, runcast.Table(value)) == (["a"], [[1], [2]])


def test_structured_and_plain_arrays_are_tables(run: runcast.Run) -> None:
    """Fields are columns; a plain array has numbers for names."""
    fields = np.array([(1, 0.5), (2, math.inf)], dtype=[("n", "i4"), ("x", "f8")])

    assert read(run, runcast.Table(fields)) == (["n", "x"], [[1, 0.5], [2, math.inf]])
    assert read(run, runcast.Table(np.eye(2))) == (["0", "1"], [[1.0, 0.0], [0.0, 1.0]])


def test_an_index_with_a_meaning_is_kept(run: runcast.Run) -> None:
    """A mere count is not; two columns of one name and names with two levels are."""
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"], index=pd.Index(["row"], name="key"))
    levels = pd.DataFrame({("x", "mean"): [1.5]})

    assert read(run, runcast.Table(frame)) == (["key", "a", "a"], [["row", 1, 2]])
    assert read(run, runcast.Table(levels)) == (["x/mean"], [[1.5]])


def test_cells_of_every_type_are_kept_or_told(run: runcast.Run) -> None:
    """Dates as ISO text, NumPy scalars as numbers, large integers exactly, media as text with a report."""
    cells = [
        dt.datetime(2024, 1, 2, 3), pd.NaT, pd.NA, np.float32(0.5), np.int64(7), 2**80, math.nan,
        {"a": [1, math.inf]}, "lone \ud800", runcast.Text("in a cell"),
    ]  # fmt: skip
    _, rows = read(run, runcast.Table([[cell] for cell in cells], ["c"]))

    found = [row[0] for row in rows]
    assert found[:6] == ["2024-01-02T03:00:00", None, None, 0.5, 7, 2**80]
    assert math.isnan(found[6])
    assert found[7:9] == [{"a": [1, math.inf]}, "lone \ud800"]
    assert "media inside a table" in lost(run)[0].reason


CELLS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_every_table_comes_back_cell_by_cell(run: runcast.Run, rows: list[list[Any]]) -> None:
    """NaN, infinities, integers of any size and odd text included."""
    _, found = read(run, runcast.Table(rows))

    assert repr(found) == repr(rows)
