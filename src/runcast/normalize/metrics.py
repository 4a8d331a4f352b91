"""Metrics and steps: numbers of every library, as Python's own."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from runcast.normalize.flatten import as_mapping, flatten
from runcast.normalize.problem import Problem, look, type_name
from runcast.records import Scalar

_LOWEST, _BEYOND = -(2**63), 2**63

_GATHERED = 8  # levels of nested dicts on the fast path; a cycle ends there too
_NOTHING: dict[str, Any] = {}
_numpy_kinds: set[type] = set()
"""Classes of NumPy scalars met so far; ``item()`` of one is a Python number, exactly."""


def metrics(
    mapping: Any, is_media: Callable[[object], bool] | None = None
) -> tuple[dict[str, Scalar], dict[str, Any], Sequence[Problem]]:
    """Split what a script logged into numbers, media, and problems.

    Args:
        mapping: names → Python or NumPy numbers, `Decimal`, `Fraction`, arrays and tensors of one
            element; nested mappings are flattened.
        is_media: tells which values are media; those come back untouched.

    Returns:
        (numbers, media, problems). The numbers may be `mapping` itself: encode it, do not keep it.
    """
    if type(mapping) is dict:
        try:
            for key, value in mapping.items():
                kind = type(value)
                if (kind is not float and kind is not int and kind is not bool) or type(key) is not str:
                    break
            else:
                return mapping, _NOTHING, ()
        except RuntimeError:  # another thread writes to it; the slow path takes a copy
            pass
        numbers: dict[str, Scalar] = {}
        if _gather(mapping, "", numbers, 0):
            return numbers, _NOTHING, ()
    return _metrics_slow(mapping, is_media)


def _gather(mapping: dict[Any, Any], prefix: str, numbers: dict[str, Scalar], depth: int) -> bool:
    """Flatten dicts of Python and NumPy numbers into `numbers`; False where anything else is in them."""
    for key, value in list(mapping.items()):
        if type(key) is not str:
            return False
        kind = type(value)
        if kind is dict:
            if not value or depth == _GATHERED or not _gather(value, f"{prefix}{key}/", numbers, depth + 1):
                return False
            continue
        if not (kind is float or kind is int or kind is bool):
            if type(kind) is not type or kind not in _numpy_kinds:
                return False
            value = value.item()
        name = prefix + key
        if name in numbers:
            return False
        numbers[name] = value
    return True


def _metrics_slow(
    mapping: Any, is_media: Callable[[object], bool] | None
) -> tuple[dict[str, Scalar], dict[str, Any], list[Problem]]:
    def expand(value: Any) -> Mapping[Any, Any] | None:
        return None if is_scalar(value) or _is_media(value, is_media) else as_mapping(value)

    flat, problems = flatten(mapping, expand)
    numbers: dict[str, Scalar] = {}
    media: dict[str, Any] = {}
    for key, value in flat.items():
        if is_scalar(value):
            numbers[key] = value
        elif _is_media(value, is_media):
            media[key] = value
        else:
            number, reason = to_number(value)
            if number is None:
                problems.append(Problem(key, reason, look(value)))
            else:
                numbers[key] = number
    return numbers, media, problems


def is_scalar(value: object) -> bool:
    """Whether `value` is a number of Python's own; a subclass is not."""
    kind = type(value)  # compared by identity, because a metaclass may define hash and equality
    return kind is float or kind is int or kind is bool


def _is_media(value: object, is_media: Callable[[object], bool] | None) -> bool:
    try:
        return is_media is not None and bool(is_media(value))
    except Exception:
        return False


def to_number(value: Any) -> tuple[Scalar | None, str]:
    """(The number that `value` is, ""), or (None, why it is none and the mend)."""
    try:
        number, reason = _to_number(value)
    except Exception as error:
        return (
            None,
            f"{type_name(value)} could not be read as a number ({type_name(error)}): log float(...) of it",
        )
    return number, reason


def _to_number(value: Any) -> tuple[Scalar | None, str]:
    if isinstance(value, float):  # np.float64 too
        _learn(type(value))
        return float.__float__(value), ""
    if isinstance(value, int):
        return int.__int__(value), ""
    if refusal := _refusal(value):
        return None, refusal
    item = getattr(value, "item", None)
    if callable(item):
        kind, value = type(value), item()
        if is_scalar(value):
            _learn(kind)
            return value, ""
        if refusal := _refusal(value):
            return None, refusal
    if hasattr(type(value), "__index__"):
        try:
            return operator.index(value), ""
        except TypeError:  # TensorFlow has it on every tensor
            pass
    if not hasattr(type(value), "__float__"):
        return None, f"{type_name(value)} is no number: log a number, or a media value such as runcast.Text"
    number = float(value)
    if math.isinf(number) and _is_finite(value):
        return None, "too large for a 64-bit float: log its logarithm"
    return float.__float__(number), ""


def _learn(kind: type) -> None:
    if kind.__module__ == "numpy" and any(base.__name__ == "number" for base in kind.__mro__):
        _numpy_kinds.add(kind)


def _refusal(value: Any) -> str:
    """Why `value` is no metric although it might convert; "" where it may be one."""
    if value is None:
        return "None is no number: leave it out, or log float('nan')"
    if isinstance(value, str):
        return "it is text: use runcast.Text or run.log_params"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "it is bytes: use run.log_artifact"
    if isinstance(value, complex):
        return "it is complex: log its real and imaginary part as two metrics"
    if isinstance(value, (list, tuple, set, frozenset)):
        return f"{type_name(value)} of {len(value)} values is no single number: log each, or its mean"
    size = _size(value)
    if size is not None and size != 1:
        what = f"{type_name(value)} of shape {tuple(value.shape)}"
        return f"{what} is no single number: log .mean() of it, or a runcast.Histogram, Image or Table of it"
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
        return "it is a date or a duration: log seconds as a number"
    if _is_masked(value):
        return "it is masked: leave it out, or log float('nan')"
    return ""


def _size(value: Any) -> int | None:
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple):
        return None
    return math.prod(int(length) for length in shape)


def _is_masked(value: Any) -> bool:
    every = getattr(getattr(value, "mask", None), "all", None)
    return callable(every) and bool(every())


def _is_finite(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite()
    try:
        return bool(value - value == 0)  # NaN for an infinity of any library
    except Exception:
        return False


def step(value: Any) -> int | Problem:
    """A step as an int64: ints of every library, and floats without a fraction."""
    if type(value) is int and _LOWEST <= value < _BEYOND:
        return value
    if type(value) is bool or value is None:
        return Problem("step", f"a step is a whole number, not {value}")
    number, reason = to_number(value)
    if number is None:
        return Problem("step", f"a step is a whole number: {reason}", look(value))
    if isinstance(number, bool) or number != number or number in (math.inf, -math.inf):
        return Problem("step", f"a step is a whole number, not {number}")
    if number != int(number):
        return Problem("step", f"a step is a whole number, not {number}: log the fraction as a metric")
    if not _LOWEST <= number < _BEYOND:
        return Problem(
            "step", "a step must be at least -2**63 and below 2**63: use a smaller unit", look(number)
        )
    return int(number)
