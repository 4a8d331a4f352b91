"""A model's signature, however the script says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runcast.errors import UsageError
from runcast.models.schema import schema

PARTS = ("inputs", "outputs", "params")


def given(signature: Any) -> dict[str, Any]:
    """A signature in the form of records.

    Args:
        signature: (inputs, outputs), data to infer it from; a mapping with ``inputs``, ``outputs`` and
            ``params`` as in records, or as JSON texts; or a ``mlflow.models.ModelSignature``.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(signature, tuple) and len(signature) in (1, 2):
        inputs, outputs = (*signature, None)[:2]
        return _whole(schema(inputs), None if outputs is None else schema(outputs))
    if not isinstance(signature, Mapping) and callable(getattr(signature, "to_dict", None)):
        signature = signature.to_dict()
    if not isinstance(signature, Mapping) or not set(signature) <= set(PARTS) or not signature:
        raise UsageError(
            "signature= takes (inputs, outputs), a mlflow.models.ModelSignature, or a dict with inputs, "
            f"outputs and params, not {type(signature).__qualname__}"
        )
    parts = {name: _decoded(signature.get(name)) for name in PARTS}
    return _whole(**parts)


def inferred(inputs: Any) -> dict[str, Any]:
    """A signature with the schema of an input example.

    Raises:
        UsageError: nothing is known about data of this type.
    """
    return _whole(schema(inputs[0] if isinstance(inputs, tuple) and len(inputs) == 1 else inputs))


def _whole(inputs: Any, outputs: Any = None, params: Any = None) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "params": params}


def _decoded(part: Any) -> Any:
    if isinstance(part, str):
        try:
            part = json.loads(part)
        except ValueError as error:
            raise UsageError(f"signature= has a part that is no JSON: {part[:80]!r}") from error
    if part is not None and not isinstance(part, list):
        raise UsageError("each part of signature= is a list of columns, tensors or params")
    return part
