"""What people see in TensorBoard of values that it has no form for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from runcast.codec import pack
from runcast.names import escape
from runcast.plugins import Change

TEXT_SUFFIX = "/text_summary"
SYSTEM = "~system/"
"""What the tags of system metrics begin with: TensorBoard sorts by name, and its HParams shows the first five
metrics only, so these come behind those of the script."""
_LONGEST_NAME = 1000
_LONGEST_VALUE = 4096
_WHOLE = "whole in runcast.json"
_SURROGATE = "[\ud800-\udfff]"
# Besides lone surrogates: the tags of HParams and our own, and the ending that sets text apart.
_ILLEGAL_TAG = re.compile(rf"{_SURROGATE}|^_(?=(?:hparams|runcast)_/)|/(?=text_summary\Z)")
_ILLEGAL_PARAM = re.compile(_SURROGATE)


def page(name: str) -> str:
    """The tag of one of our own texts, such as ``environment``."""
    return f"_runcast_/{name}{TEXT_SUFFIX}"


def tag(key: str) -> str:
    """The tag of a metric, and with `TEXT_SUFFIX` of a text."""
    return escape(key, _ILLEGAL_TAG, _LONGEST_NAME)


def hparams(params: Mapping[str, Any]) -> tuple[dict[str, bool | float | str], list[Change]]:
    """Params as HParams can hold them: finite numbers, bools and texts; and what that changed."""
    out: dict[str, bool | float | str] = {}
    changes = []
    for key, value in params.items():
        name = escape(key, _ILLEGAL_PARAM, _LONGEST_NAME)
        if name != key:
            changes.append(Change("renamed", key, name))
        out[name], detail = _hparam(value)
        if detail:
            changes.append(Change("spilled" if detail == _WHOLE else "degraded", key, detail))
    return out, changes


def _hparam(value: Any) -> tuple[bool | float | str, str]:
    if isinstance(value, bool):
        return value, ""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) <= 1 << 53:
        return float(value), ""
    if isinstance(value, float) and math.isfinite(value):
        return value, ""
    if isinstance(value, (int, float)):  # the endpoint of HParams fails as a whole on NaN
        return _text(repr(value))[0], "HParams shows it as text; exact in runcast.json"
    shown, detail = _text(json.dumps(pack(value), ensure_ascii=False))
    return shown, detail or "HParams shows it as JSON text; exact in runcast.json"


def _text(value: str) -> tuple[str, str]:
    whole = value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if len(whole) > _LONGEST_VALUE:
        return whole[: _LONGEST_VALUE - 1] + "…", _WHOLE
    return whole, "" if whole == value else "lone surrogates shown as escapes; exact in runcast.json"


def table(head: str, rows: Mapping[str, str]) -> str:
    """Names and texts as a Markdown table whose first column is called `head`."""
    return grid([head, "value"], rows.items())


def grid(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """Rows of texts as a Markdown table."""
    lines = [[_cell(name) for name in columns], ["---"] * len(columns)]
    lines += [[_cell(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def code(text: str, language: str = "", longest: int = 20_000) -> str:
    """Text that Markdown leaves as it is; cut behind `longest` characters."""
    if len(text) > longest:
        text = f"{text[:longest]}\n… ({len(text) - longest} more characters)"
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{ticks}{language}\n{text}\n{ticks}"


def plain(value: Any) -> str:
    """A JSON-like value as text: texts as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(pack(value), ensure_ascii=False)


def _cell(text: str) -> str:
    marked = (
        _text(text)[0].replace("\\", "\\\\").replace("|", "\\|").replace("&", "&amp;").replace("<", "&lt;")
    )
    return marked.replace("\n", " ").replace("\r", " ")
