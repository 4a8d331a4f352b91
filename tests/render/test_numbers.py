"""Bins and tables out of blobs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as hnp

from runcast.errors import Reject
from runcast.render import histogram, table


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays("float64", hnp.array_shapes(min_dims=1, max_dims=1, min_side=0, max_side=40)))
def test_any_values_can_be_binned(tmp_path: Path, values: np.ndarray) -> None:
    """Of every size from subnormal to the largest: edges rise, each finite value is in one bin."""
    np.save(tmp_path / "v.npy", values)
    edges, counts = histogram(tmp_path / "v.npy", 16)

    finite = values[np.isfinite(values)]
    assert (len(edges), len(counts), sum(counts)) == (17, 16, len(finite))
    assert np.isfinite(edges).all()
    assert (np.diff(edges) > 0).all()
    if len(finite):
        assert edges[0] <= finite.min()
        assert edges[-1] >= finite.max()


def test_bins_are_those_of_numpy(tmp_path: Path) -> None:
    """Equal width from the least to the greatest."""
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    np.save(tmp_path / "v.npy", values)
    counts, edges = np.histogram(values.astype(np.float64), 30)

    assert histogram(tmp_path / "v.npy", 30) == (edges.tolist(), counts.tolist())


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros(3, np.int32), np.array(1.0), np.array(["a"])])
def test_other_arrays_have_no_bins(tmp_path: Path, array: np.ndarray) -> None:
    """Shape and dtype are those of the contract."""
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(Reject):
        histogram(tmp_path / "v.npy", 3)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b'{"columns": ["a"], "data": [[1, 2]]}', b'{"columns": [1], "data": []}',
        b'{"columns": ["a"], "data": [{"$float": "x"}]}', b'{"columns": ["a"], "data": 3}', b"\xff",
        b'{"columns": ["a"], "data": [["' + b"[" * 100_000,
    ],
)  # fmt: skip
def test_forged_tables_are_rejected(tmp_path: Path, content: bytes) -> None:
    """The courier gets the one error that it knows."""
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(Reject, match="no table"):
        table(tmp_path / "t")
