"""Points that MLflow's table takes for one: the same metric, step and millisecond, again and again."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runcast.backends.mlflow.rows import Rows
from runcast.records import Metrics, Scalar
from runcast.sources.mlflow.points import double, said
from runcast.sources.mlflow.said import _parsed, _read

_MS = 1_700_000_000_000
_VALUES = st.sampled_from([0.1, 2.5, 0.0, math.nan, math.inf, 2**53 + 1, True])


@settings(max_examples=200, deadline=None)
@given(values=st.lists(_VALUES, max_size=7), cut=st.integers(0, 7))
@example(values=[1.5, 1.5, 2.5], cut=2)
def test_whatever_is_said_twice_comes_back_twice(values: list[Scalar], cut: int) -> None:
    """However the values of one moment are mixed, and wherever the backend begins anew between them."""
    records = [
        Metrics(time=_MS * 10**6, step=3, values={"x": value, "y": 0.5}, writer="w", seq=number)
        for number, value in enumerate(values)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path, last, size = Path(folder) / "rows.gz", None, 0
        for batch in (records[:cut], records[cut:]):
            rows = Rows(path, size, last)
            size = rows.append([rows.line(record, record) for record in batch])
            last = rows.last
        known = list(_parsed(_read(path))) if path.exists() else []
        # As MLflow's table: each point once, NaN as such, infinities as the largest doubles.
        held = {
            (
                key,
                "nan" if value != value else max(-1.7976931348623157e308, min(1.7976931348623157e308, value)),
            )
            for record in records
            for key, value in ((name, double(number, 1)) for name, number in record.values.items())
        }
        stored = sorted((key, math.nan if value == "nan" else float(value)) for key, value in held)
        back = list(said([(_MS, 3, key, value) for key, value in stored], known, str))

    assert [repr(list(record.values.values())) for record in back] == [
        repr(list(record.values.values())) for record in records
    ]
