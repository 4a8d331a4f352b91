"""The schema of data in MLflow's JSON form: columns, or tensors.

The rules are those of ``mlflow.models.infer_signature`` (mlflow 3.17, ``mlflow/types/utils.py``), so that a
tracker shows the same signature whoever inferred it; tests compare the two. Nothing is imported for it: the
data say what they are.
"""

from __future__ import annotations

import datetime
import math
import sys
from collections.abc import Iterable
from typing import Any

from runcast.errors import UsageError

Schema = list[dict[str, Any]]
_ANY: dict[str, Any] = {"type": "any"}
_NUMPY = {"int64": "long", "int32": "integer", "float64": "double", "float32": "float", "bool": "boolean"}
_POLARS = {
    "Int8": "integer", "Int16": "integer", "Int32": "integer", "UInt8": "integer", "UInt16": "integer",
    "Int64": "long", "UInt32": "long", "Float32": "float", "Float64": "double", "Boolean": "boolean",
    "String": "string", "Categorical": "string", "Enum": "string", "Binary": "binary", "Date": "datetime",
    "Datetime": "datetime",
}  # fmt: skip


def schema(data: Any) -> Schema:
    """Columns (``{"type", "name", "required"}``) or tensors (``{"type": "tensor", "tensor-spec"}``) of data.

    Args:
        data: a pandas or polars frame or series, an array, tensor or sparse matrix, a dict of them, a list,
            a list of dicts, or a scalar. The first axis of an array counts as open (``-1``).

    Raises:
        UsageError: nothing is known about data of this type, or its parts do not agree.
    """
    kind = kind_of(data)
    if kind == "pandas":
        return [_column(_pandas_type(data[name]), _required(data[name]), name) for name in data.columns]
    if kind == "series":
        return [_column(_pandas_type(data), _required(data), data.name)]
    if kind == "polars":
        return [_column(_polars_type(data[n]), data[n].null_count() == 0, n) for n in data.columns]
    if kind in ("array", "tensor", "sparse"):
        return [_tensor(data)]
    if kind == "arrays":
        return [_tensor(data[name], name) for name in data]
    if isinstance(data, dict):
        if not all(isinstance(name, str) for name in data):
            raise UsageError("a dict whose keys are not all text has no schema")
        return [_column(_type(value), not _is_missing(value), name) for name, value in data.items()]
    if isinstance(data, list):
        return _of_list(data)
    return [_column(_type(data), True, None)]


def kind_of(data: Any) -> str:
    """``pandas``, ``series``, ``polars``, ``array``, ``tensor``, ``sparse``, ``arrays``, or ``""``."""
    if isinstance(data, dict):
        arrays = bool(data) and all(kind_of(value) in ("array", "tensor") for value in data.values())
        return "arrays" if arrays else ""
    for base in type(data).__mro__:
        root, name = base.__module__.partition(".")[0], base.__name__
        found = _KINDS.get((root, name))
        if found:
            return found
    return "sparse" if type(data).__module__.startswith("scipy.sparse") and hasattr(data, "data") else ""


_KINDS = {
    ("pandas", "DataFrame"): "pandas",
    ("pandas", "Series"): "series",
    ("polars", "DataFrame"): "polars",
    ("numpy", "ndarray"): "array",
    ("torch", "Tensor"): "tensor",
}


def _of_list(data: list[Any]) -> Schema:
    if not data:
        return [_column({"type": "string"}, True, None)]
    if not all(isinstance(item, dict) for item in data):
        return [_column(_merged(map(_type, data)), True, None)]
    values: dict[str, list[Any]] = {}
    for item in data:
        for name, value in item.items():
            values.setdefault(name, []).append(value)
    return [
        _column(_merged(map(_type, found)), all(item.get(name) is not None for item in data), name)
        for name, found in values.items()
    ]


def _column(kind: dict[str, Any], required: bool, name: Any) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {**kind, **named, "required": bool(required)}


def _tensor(data: Any, name: str | None = None) -> dict[str, Any]:
    kind = kind_of(data)
    if kind == "tensor":
        dtype = str(data.dtype).removeprefix("torch.")
        dtype = {"float": "float32", "double": "float64", "half": "float16", "long": "int64"}.get(
            dtype, dtype
        )
    else:
        found = data.data.dtype if kind == "sparse" else data.dtype
        dtype = {"U": "str", "S": "bytes"}.get(found.char, found.name)
    if not data.shape:
        raise UsageError("a 0-dimensional array has no axis for examples; give it one")
    spec = {"dtype": dtype, "shape": [-1, *(int(size) for size in data.shape[1:])]}
    whole = {"type": "tensor", "tensor-spec": spec}
    return whole if name is None else {"name": name, **whole}


def _required(column: Any) -> bool:
    return not any(map(_is_missing, column))


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    pandas = sys.modules.get("pandas")
    return value is None or (pandas is not None and (value is pandas.NA or value is pandas.NaT))


def _pandas_type(column: Any) -> dict[str, Any]:
    if column.dtype.kind == "O":
        column = column.infer_objects()
    if column.dtype.kind != "O":
        return {"type": _dtype(column.dtype)}
    return _merged(map(_type, column.to_list()))


def _dtype(dtype: Any) -> str:
    """An array's type as a column's."""
    kind, size = dtype.kind, dtype.itemsize
    if kind in "iu" and (size < 8 or kind == "i"):
        return "integer" if size < 4 or (kind == "i" and size == 4) else "long"
    if kind == "f" and size <= 8:
        return "float" if size <= 4 else "double"
    simple = {"b": "boolean", "U": "string", "S": "binary", "M": "datetime"}
    if kind in simple:
        return simple[kind]
    raise UsageError(f"a column of {dtype} has no type in MLflow's schema")


def _polars_type(column: Any) -> dict[str, Any]:
    name = type(column.dtype).__name__
    if name in _POLARS:
        return {"type": _POLARS[name]}
    return _merged(map(_type, column.to_list()))


def _type(value: Any) -> dict[str, Any]:
    """The type of one value: a scalar's, an array's, an object's."""
    if _is_missing(value) or (isinstance(value, (list, dict)) and not value):
        return _ANY
    if isinstance(value, dict):
        fields = {name: _type(inner) for name, inner in value.items()}
        properties = {n: {**field, "required": field != _ANY} for n, field in fields.items()}
        return {"type": "object", "properties": properties}
    if isinstance(value, list) or kind_of(value) == "array":
        return {"type": "array", "items": _merged(map(_type, value))}
    return {"type": _scalar(value)}


def _scalar(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    if dtype is not None and dtype.name in _NUMPY:
        return _NUMPY[dtype.name]
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double"), (str, "string")):
        if isinstance(value, kind):
            return name
    if isinstance(value, (bytes, bytearray)):
        return "binary"
    if isinstance(value, (datetime.date, datetime.datetime)) or (dtype is not None and dtype.kind == "M"):
        return "datetime"
    raise UsageError(f"a value of type {type(value).__qualname__} has no type in MLflow's schema")


def _merged(kinds: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The one type that all values have; ``any`` beside another one is that other."""
    found: dict[str, Any] = _ANY
    for kind in kinds:
        found = _both(found, kind)
    return found


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    if _ANY in (one, other) or one == other:
        return other if one == _ANY else one
    if one["type"] == other["type"] == "array":
        return {"type": "array", "items": _both(one["items"], other["items"])}
    if one["type"] == other["type"] == "object":
        return {"type": "object", "properties": _fields(one["properties"], other["properties"])}
    raise UsageError("values of several types stand in one list or column; give signature= yourself")


def _fields(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    merged = {}
    for name in [*one, *(name for name in other if name not in one)]:
        if name in one and name in other:
            bare = [{k: v for k, v in field.items() if k != "required"} for field in (one[name], other[name])]
            required = one[name]["required"] and other[name]["required"]
            merged[name] = {**_both(*bare), "required": required}
        else:
            merged[name] = {**(one[name] if name in one else other[name]), "required": False}
    return merged
