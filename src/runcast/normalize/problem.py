"""What could not be kept, and looks at hostile objects that never raise."""

from __future__ import annotations

from reprlib import Repr
from typing import Any, NamedTuple

from runcast.redact import redact_text

_LONGEST = 120  # characters of a look at a value

_short = Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


class Problem(NamedTuple):
    """One value that could not be kept as it was said.

    Attributes:
        key: flat name, or ``""`` where it is about the whole call.
        reason: why, and the mend.
        detail: a short look at the value, secrets masked; ``""`` where there is nothing to see.
        kept: the value is there all the same, changed or in part.
    """

    key: str
    reason: str
    detail: str = ""
    kept: bool = False


def type_name(value: object) -> str:
    """``numpy.ndarray`` for an array, ``list`` for a list."""
    return class_name(type(value))


def class_name(kind: type) -> str:
    """The full name of a class; of a built-in one, the bare name."""
    try:
        module, name = kind.__module__, kind.__qualname__
        return str(name) if module in ("builtins", None) else f"{module}.{name}"
    except Exception:  # a metaclass may do anything
        return "object"


def look(value: object) -> str:
    """A short ``repr`` with secrets masked; the type's name where ``repr`` raises."""
    try:
        text = _short.repr(value)
    except Exception:
        text = ""
    if not isinstance(text, str) or not text:
        return f"<{type_name(value)}>"
    return redact_text(text[:_LONGEST])


def text_of(value: object) -> str:
    """``str(value)`` as an exact `str`; the type's name where that raises."""
    try:
        text = str(value)
        return text if type(text) is str else str.__str__(text)
    except Exception:
        return f"<{type_name(value)}>"


def same(one: Any, other: Any) -> bool:
    """Whether two values are interchangeable; False where comparing raises."""
    if one is other:
        return True
    try:
        return type(one) is type(other) and bool(one == other)
    except Exception:
        return False
