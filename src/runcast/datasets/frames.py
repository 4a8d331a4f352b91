"""Columns of data frames as plain arrays, the same from pandas and from polars."""

from __future__ import annotations

from typing import Any

from runcast.datasets.digests import of_array, of_values

_PLAIN = "biuf"


def pandas_column(column: Any) -> str:
    """Digest of a pandas column; its index does not count."""
    import numpy as np

    kind = getattr(column.dtype, "kind", "O")
    if str(column.dtype) == "category" or kind == "O" or str(column.dtype) in ("string", "str"):
        return _objects(column.tolist())
    if kind == "M":
        return _times(np.asarray(column.astype("datetime64[us]" if _naive(column) else column.dtype)), column)
    if not isinstance(column.dtype, np.dtype) and column.isna().any():
        return _nullable(column.tolist(), str(column.dtype).lower())
    values = column.to_numpy()
    if values.dtype.kind in _PLAIN + "m":
        return of_array(values)
    return _nullable(column.tolist(), str(column.dtype).lower())


def polars_column(column: Any) -> str:
    """Digest of a polars column."""
    import numpy as np
    import polars as pl

    dtype = column.dtype
    if dtype in (pl.Datetime, pl.Date):
        if getattr(dtype, "time_zone", None):
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return of_array(column.cast(pl.Datetime("us")).to_numpy().astype("datetime64[us]"))
    if dtype.is_numeric() or dtype == pl.Boolean:
        if column.null_count():
            return _nullable(column.to_list(), str(dtype).lower())
        return of_array(np.asarray(column.to_numpy()))
    return _objects(column.to_list())


def _objects(values: list[Any]) -> str:
    return of_values(values, [len(values)])


def _nullable(values: list[Any], dtype: str) -> str:
    """Numbers some of which are missing: as floats where they are that, as objects else."""
    import numpy as np

    missing = [value is None or str(value) in ("<NA>", "nan") for value in values]
    if dtype.startswith("float"):
        bits = dtype.removeprefix("float")
        filled = [np.nan if gone else value for value, gone in zip(values, missing, strict=True)]
        return of_array(np.array(filled, dtype=f"float{bits}"))
    if not any(missing):
        return of_array(np.array(values, dtype="bool" if dtype.startswith("bool") else dtype))
    return _objects([None if gone else value for value, gone in zip(values, missing, strict=True)])


def _naive(column: Any) -> bool:
    return getattr(column.dtype, "tz", None) is None


def _times(values: Any, column: Any) -> str:
    if not _naive(column):
        values = column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    return of_array(values.astype("datetime64[us]"))
