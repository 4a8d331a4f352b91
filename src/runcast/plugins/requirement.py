"""Which runcast a plugin's package asks for, by the requirements that it was installed with.

An installer refuses what does not fit; a folder put on the path, or an older runcast put back, goes past it.
https://packaging.python.org/en/latest/specifications/dependency-specifiers/ has the form; what is more than
a comparison of released versions is left to the installer.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution

_LINE = re.compile(r"runcast(?![\w.-])\s*(?:\[[^\]]*\])?\s*\(?(?P<bounds>[^;)]*)\)?\s*(?P<marker>;.*)?", re.I)
_BOUND = re.compile(r"(>=|<=|==|!=|>|<|~=)\s*(\d+(?:\.\d+)*)\s*")
_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq,
    "!=": operator.ne, "~=": operator.ge,
}  # fmt: skip


def unmet(package: str, version: str) -> str:
    """The requirement of an installed package that this runcast does not meet; "" where it does."""
    try:
        lines = distribution(package).requires or []
    except (PackageNotFoundError, ValueError, OSError):
        return ""
    return next((line for line in lines if not _meets(line, version)), "")


def _meets(line: str, version: str) -> bool:
    whole = _LINE.fullmatch(line.strip())
    if whole is None or "extra" in (whole["marker"] or ""):
        return True
    for bound in whole["bounds"].split(","):
        part = _BOUND.fullmatch(bound.strip())
        if part and not _COMPARE[part[1]](*_aligned(version, part[2])):
            return False
    return True


def _aligned(one: str, other: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two versions as numbers, of one length."""
    released = re.match(r"\d+(?:\.\d+)*", one)
    numbers = [[int(n) for n in text.split(".")] for text in (released[0] if released else "0", other)]
    length = max(map(len, numbers))
    first, second = (tuple(each + [0] * (length - len(each))) for each in numbers)
    return first, second
