"""Our schema of data against MLflow's own inference."""

from __future__ import annotations

import datetime
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from mlflow.models import infer_signature

from runcast.errors import UsageError
from runcast.models.schema import schema

NOW = datetime.datetime(2024, 5, 1, 12, 30)
DATA: dict[str, Any] = {
    "frame": pd.DataFrame(
        {
            "int": [1, 2],
            "float": [1.0, None],
            "text": ["x", "y"],
            "flag": [True, False],
            "time": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "nullable": pd.Series([1, None], dtype="Int64"),
            "lists": [[1, 2], [3]],
            "category": pd.Categorical(["a", "b"]),
            "bytes": [b"1", b"2"],
            "objects": [{"a": 1}, {"a": 2, "b": "c"}],
            "nothing": [None, None],
        }
    ),
    "narrow": pd.DataFrame(
        {"u": np.array([1], "uint32"), "s": np.array([1], "int16"), "f": np.array([1], "f2")}
    ),
    "text with gaps": pd.DataFrame({"t": ["a", None]}),
    "numbered columns": pd.DataFrame({0: [1], 1: [2.0]}),
    "series": pd.Series([1, 2], name="s"),
    "matrix": np.zeros((3, 4), "float32"),
    "texts": np.array(["a", "bc"]),
    "bytes": np.array([b"a"]),
    "times": np.zeros((2, 2), "datetime64[s]"),
    "objects": np.array([1, 2], dtype=object),
    "empty": np.zeros((2, 0)),
    "sparse": scipy.sparse.csr_matrix(np.eye(3)),
    "arrays": {"x": np.zeros(3), "y": np.ones((2, 2), "int64")},
    "dict": {"a": 1, "b": [1.0], "c": {"d": None}, "e": np.float32(3)},
    "dicts": [{"a": 1, "b": None}, {"a": 2, "b": "x"}],
    "nested": {"m": {"a": 1}, "l": [{"x": 1}, {"y": 2.0}]},
    "gaps": [{"a": [1, 2]}, {"a": []}],
    "list": [1, 2],
    "lists": [[1, 2], [3, 4]],
    "ragged": [[1, None], []],
    "empty list": [],
    "text": "a",
    "float": 1.5,
    "flag": True,
    "scalar": np.float32(3),
    "time": NOW,
}


@pytest.mark.parametrize("name", DATA)
def test_the_schema_is_mlflows(name: str) -> None:
    """The same JSON, column by column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of whole numbers
        theirs = infer_signature(DATA[name]).to_dict()["inputs"]

    assert schema(DATA[name]) == json.loads(theirs)


def test_tensors_look_like_arrays() -> None:
    """MLflow has no word for them; on a device, with gradients, of any type."""
    for tensor, array in [
        (torch.zeros(2, 3, requires_grad=True), np.zeros((2, 3), "float32")),
        (torch.zeros(2, dtype=torch.int64), np.zeros(2, "int64")),
        (torch.zeros(2, dtype=torch.bool), np.zeros(2, "bool")),
    ]:
        assert schema(tensor) == schema(array)


def test_polars_looks_like_pandas() -> None:
    """Column by column."""
    columns = {"a": [1, 2], "b": [1.5, None], "c": ["x", None], "d": [True, False], "t": [NOW, NOW]}

    assert schema(pl.DataFrame(columns)) == schema(pd.DataFrame(columns))


@pytest.mark.parametrize("data", [[1, "a"], np.array(3), {1: 2}, object(), pd.DataFrame({"c": [1j]})])
def test_what_has_no_schema_is_explained(data: Any) -> None:
    """Mixed lists, arrays without axes, keys that are no text, strange types."""
    with pytest.raises(UsageError):
        schema(data)
