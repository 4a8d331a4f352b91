"""Arrays of every library, as NumPy's."""

from __future__ import annotations

from typing import Any

from runcast.media.value import Unfit
from runcast.normalize.problem import type_name

EXTRA = "pip install 'runcast[media]'"


def numpy() -> Any:
    """NumPy.

    Raises:
        Unfit: it is not installed.
    """
    try:
        import numpy as np
    except ModuleNotFoundError as error:
        raise Unfit(f"NumPy is needed for this value: {EXTRA}") from error
    return np


def is_tensor(value: object) -> bool:
    """Whether it is a tensor of PyTorch's kind, where channels come first."""
    return callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None))


def to_array(value: Any, what: str = "an array") -> Any:
    """An array of bools, integers, or floats of 32 or 64 bits; no copy where none is needed.

    Tensors are detached and brought to the CPU; floats of 16 bits and fewer become float32; what is masked
    becomes NaN.

    Args:
        value: NumPy array, tensor, series, list, or anything with ``__array__``.
        what: what is needed, for the message.

    Raises:
        Unfit: it is none, or its elements are no numbers.
    """
    np = numpy()
    try:
        array = _read(np, value)
    except Unfit:
        raise
    except Exception as error:  # of whatever library it is
        raise Unfit(
            f"{type_name(value)} could not be read as {what}: {type_name(error)}: {str(error)[:200]}"
        ) from error
    if array is None:
        raise Unfit(f"{type_name(value)} is no array: give {what}")
    return _plain(np, array, what)


def _read(np: Any, value: Any) -> Any:
    if isinstance(value, np.ma.MaskedArray):
        return value.data if not np.ma.getmaskarray(value).any() else value.astype(float).filled(np.nan)
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if is_tensor(value):
        return _of_tensor(value)
    if callable(getattr(value, "to_numpy", None)):  # pandas, polars
        return value.to_numpy()
    if type(value).__module__.partition(".")[0] == "cupy":
        return value.get()
    if isinstance(value, (list, tuple)):
        if value and (is_tensor(value[0]) or hasattr(value[0], "__array__")):
            return np.stack([_read(np, item) for item in value])
        return np.asarray(value)
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if callable(getattr(value, "numpy", None)):
        return np.asarray(value.numpy())
    return np.asarray(list(value)) if isinstance(value, range) else None


def _of_tensor(tensor: Any) -> Any:
    tensor = tensor.detach()
    if str(getattr(tensor, "device", "")) == "meta":
        raise Unfit("a tensor on the device 'meta' has no values: log one that has been computed")
    if getattr(tensor, "is_quantized", False):
        tensor = tensor.dequantize()
    if str(getattr(tensor, "layout", "torch.strided")) != "torch.strided":
        tensor = tensor.to_dense()
    tensor = tensor.cpu()
    if str(tensor.dtype).startswith(("torch.bfloat", "torch.float8")):  # NumPy has no such types
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().numpy() if hasattr(tensor, "resolve_neg") else tensor.numpy()


def _plain(np: Any, array: Any, what: str) -> Any:
    kind = array.dtype.kind
    if kind == "f" and array.dtype.itemsize < 4:
        return array.astype(np.float32)
    if kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    if kind in "biuf":
        return array
    if kind == "V" and array.dtype.name.startswith(("bfloat", "float8")):  # ml_dtypes: JAX, TensorFlow
        return array.astype(np.float32)
    if kind == "O" and array.size:
        try:
            return array.astype(np.float64)  # pandas' columns with None in them
        except (TypeError, ValueError, OverflowError):
            pass
    mend = {"c": "take .real, .imag or abs()", "M": "give seconds as numbers", "m": "give seconds as numbers"}
    raise Unfit(f"elements of type {array.dtype.name[:40]} are no numbers: {mend.get(kind, 'give ' + what)}")


def flat_labels(value: Any, what: str) -> Any:
    """A flat array of class labels, which may be text.

    Raises:
        Unfit: it is none.
    """
    np = numpy()
    try:
        array = value if isinstance(value, np.ndarray) else _read(np, value)
        array = None if array is None else np.asarray(array)
    except Exception as error:
        raise Unfit(f"{what}: {type_name(value)} could not be read: {type_name(error)}") from error
    if array is None or array.ndim == 0:
        raise Unfit(f"{what} must be a flat array of labels, not {type_name(value)}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return array
