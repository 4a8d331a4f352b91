"""Params and tags: settings of every shape, as JSON-like values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from enum import Enum
from typing import Any

from runcast.normalize.flatten import MAX_DEPTH, as_mapping, flatten, key_text
from runcast.normalize.metrics import is_scalar
from runcast.normalize.problem import Problem, class_name, look, text_of, type_name

_MAX_ARRAY = 1000  # elements of an array that is kept in full


def params(mapping: Any) -> tuple[dict[str, Any], list[Problem]]:
    """Settings as flat names → None, bool, int, float, str, list or dict.

    Mappings, dataclasses, `argparse.Namespace`, attrs, msgspec and pydantic objects are flattened.
    Tuples and sets become lists, enums their value, small arrays lists; paths, dates, types, functions
    and everything else become text. Texts keep their length.

    Returns:
        The values, and a problem for each that was lost or is only described.
    """
    flat, problems = flatten(mapping, expand)
    values: dict[str, Any] = {}
    for key, value in flat.items():
        values[key] = value if _is_plain(value) else _plain(key, value, (), problems)
    return values, problems


def plain(key: str, value: Any) -> tuple[Any, list[Problem]]:
    """One value as JSON-like, nested as it is; what cannot be kept comes back as a problem of `key`."""
    problems: list[Problem] = []
    return value if _is_plain(value) else _plain(key, value, (), problems), problems


def _is_plain(value: object) -> bool:
    return value is None or type(value) is str or is_scalar(value)


def expand(value: Any) -> Mapping[Any, Any] | None:
    """The fields of an object that is a record of settings; None for any other value."""
    if _is_plain(value):
        return None
    mapping = as_mapping(value)
    if mapping is not None:
        return mapping
    try:
        return None if isinstance(value, type) else _fields(value)
    except Exception:
        return None


def _fields(value: Any) -> Mapping[Any, Any] | None:
    kind = type(value)
    for listing in ("__dataclass_fields__", "__struct_fields__"):  # dataclasses; msgspec
        names = getattr(kind, listing, None)
        if isinstance(names, (dict, tuple)):
            return {name: getattr(value, name) for name in names if hasattr(value, name)}
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return {field.name: getattr(value, field.name) for field in attributes}
    if callable(getattr(kind, "model_dump", None)):  # pydantic; hides its SecretStr
        dump = value.model_dump()
        return dump if isinstance(dump, dict) else None
    if issubclass(kind, tuple) and callable(getattr(kind, "_asdict", None)):
        return dict(value._asdict())
    names = {(base.__module__, base.__name__) for base in kind.__mro__}
    if names & {("argparse", "Namespace"), ("types", "SimpleNamespace")}:
        return dict(vars(value))
    return None


def _plain(key: str, value: Any, above: tuple[int, ...], problems: list[Problem]) -> Any:
    try:
        return _convert(key, value, above, problems)
    except Exception as error:
        problems.append(
            Problem(key, f"kept as text, because reading it raised {type_name(error)}", look(value), True)
        )
        return text_of(value)


def _convert(key: str, value: Any, above: tuple[int, ...], problems: list[Problem]) -> Any:
    if _is_plain(value):
        return value
    for base in (str, float):
        if isinstance(value, base) and not isinstance(value, Enum):
            return getattr(base, f"__{base.__name__}__")(value)
    if isinstance(value, Enum):
        return _convert(key, value.value, above, problems) if value.value is not value else text_of(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, type):
        return class_name(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _describe_bytes(bytes(value))
    if hasattr(value, "tolist") and isinstance(getattr(value, "shape", None), tuple):
        return _array(key, value, above, problems)
    fields = expand(value)
    if fields is None and not isinstance(value, (Set, Sequence)):
        return _describe(value)
    if isinstance(value, range):
        return text_of(value)
    if id(value) in above:
        problems.append(Problem(key, "it contains itself: the inner one is left out", kept=True))
        return "<cycle>"
    if len(above) >= MAX_DEPTH:
        reason = f"nested deeper than {MAX_DEPTH} levels: the rest is kept as text"
        problems.append(Problem(key, reason, kept=True))
        return look(value)
    inside = (*above, id(value))
    if fields is not None:
        return {key_text(name): _plain(key, fields[name], inside, problems) for name in fields}
    items = sorted(value, key=repr) if isinstance(value, Set) else list(value)
    return [_plain(key, item, inside, problems) for item in items]


def _array(key: str, value: Any, above: tuple[int, ...], problems: list[Problem]) -> Any:
    size = math.prod(int(length) for length in value.shape)
    if size <= _MAX_ARRAY:
        return _plain(key, value.tolist(), above, problems)
    description = f"<{type_name(value)} {getattr(value, 'dtype', '')} {tuple(value.shape)}>"
    problems.append(
        Problem(key, f"an array of {size} values is only described: use run.log_artifact", description, True)
    )
    return description


def _describe(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    if callable(value) and isinstance(name, str):  # a function or method
        return f"{getattr(value, '__module__', None) or ''}.{name}".lstrip(".")
    return text_of(value)


def _describe_bytes(value: bytes) -> str:
    import hashlib  # OpenSSL: 2 ms that few scripts need

    return f"<{len(value)} bytes, sha256 {hashlib.sha256(value).hexdigest()[:16]}>"


def tags(given: Any) -> tuple[dict[str, str], list[Problem]]:
    """Labels from a name, a sequence of names, or a mapping of names to values.

    A label without a value has the value ``""``; other values become text (``True``, ``3``).
    """
    if given is None:
        return {}, []
    if issubclass(type(given), str):
        return {str.__str__(given): ""}, []
    if expand(given) is not None:
        values, problems = params(given)
        return {key: "" if value is None else text_of(value) for key, value in values.items()}, problems
    try:
        is_list = isinstance(given, (Sequence, Set)) and not isinstance(given, (bytes, bytearray, memoryview))
        names = list(given) if is_list else None
    except Exception:
        names = None
    if names is None:
        return {}, [
            Problem(
                "", f"tags are names, or a mapping of names to values, not {type_name(given)}", look(given)
            )
        ]
    return {key_text(name): "" for name in names}, []
