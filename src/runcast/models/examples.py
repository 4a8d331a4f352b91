"""An input of a model: as JSON, and as what the model answers to it."""

from __future__ import annotations

import datetime
import sys
from typing import Any

from runcast.errors import UsageError
from runcast.models.schema import Schema, kind_of, schema
from runcast.models.writing import tensors
from runcast.session import describe

ROWS = 100
"""Of a larger example, so many rows are kept."""


def example_json(example: Any) -> dict[str, Any] | None:
    """An example in the form that ``docs/models.md`` has."""
    if example is None:
        return None
    kind = kind_of(example)
    if kind in ("pandas", "polars"):
        head = example.head(ROWS)
        columns = list(head.columns)
        rows = head.values.tolist() if kind == "pandas" else [list(row) for row in head.rows()]
        return {"dataframe": {"columns": _plain(columns), "data": _plain(rows)}}
    if kind in ("array", "tensor"):
        return {"ndarray": _plain(example[:ROWS].tolist() if example.shape else example.tolist())}
    if kind == "arrays":
        return {"ndarrays": {name: _plain(value[:ROWS].tolist()) for name, value in example.items()}}
    if kind == "sparse":
        return {"ndarray": _plain(example[:ROWS].toarray().tolist())}
    if kind == "series":
        return {"json": _plain(example.head(ROWS).tolist())}
    return {"json": _plain(example[:ROWS] if isinstance(example, list) else example)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if kind_of(value) in ("array", "tensor") or hasattr(value, "item"):
        return _plain(value.tolist())
    pandas = sys.modules.get("pandas")
    return None if pandas is not None and value is pandas.NA else str(value)


def outputs(model: Any, flavor: str, example: Any) -> Schema | None:
    """The schema of what the model answers; None where this flavor cannot be asked.

    Raises:
        UsageError: the model raised.
    """
    try:
        answer = _answer(model, flavor, example)
        return None if answer is None else schema(answer)
    except Exception as error:  # the model's own
        raise UsageError(f"asked for its output on the example, it raised {describe(error)}") from error


def _answer(model: Any, flavor: str, example: Any) -> Any:
    if flavor in ("pytorch", "torchscript") and callable(model):
        return _of_module(model, example)
    if flavor == "xgboost" and type(model).__name__ == "Booster":
        xgboost = sys.modules["xgboost"]
        return model.predict(xgboost.DMatrix(example))
    if flavor == "pyfunc" and any(base.__name__ == "PythonModel" for base in type(model).__mro__):
        return model.predict(None, example)
    if flavor in ("sklearn", "xgboost", "pyfunc"):
        return model.predict(example) if hasattr(model, "predict") else model(example)
    return None


def _of_module(model: Any, example: Any) -> Any:
    """Neither gradients nor running statistics change by being asked."""
    torch = sys.modules["torch"]
    training = model.training
    where = next((p.device for p in model.parameters()), torch.device("cpu"))
    model.eval()
    try:
        with torch.no_grad():
            answer = model(*(each.to(where) for each in tensors(torch, example)))
    finally:
        model.train(training)
    return answer.detach().cpu() if hasattr(answer, "detach") else None
