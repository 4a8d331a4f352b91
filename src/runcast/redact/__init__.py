"""Secrets masked before anything is written: by the name they stand under, or by their form.

Three ways to know a secret: its key says so (``db_password``), its form says so (a URL with a password,
a token with a known prefix, a private key), or it is the value of an environment variable whose name
says so. Every function gives back the very object it was given when there was nothing to mask, so
``result is not value`` tells that something was; none changes a number; each is idempotent.

Over-masking is preferred to a leak, except for names that every training script uses
(``max_tokens``, ``eos_token``, ``author``) and for bare 40-digit hexadecimal numbers, which are
W&B keys as often as they are Git commits: those are masked only where the context says key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcast.redact.assigned import HARMLESS, mask_assigned
from runcast.redact.forms import mask_forms
from runcast.redact.names import MASK, key_pattern, secrecy

__all__ = [
    "MASK",
    "key_pattern",
    "learn_environment",
    "redact_text",
    "redact_tree",
    "redact_value",
    "secrecy",
]

_MIN_ENVIRONMENT = 8  # characters; shorter values would mask ordinary words
_MAX_DEPTH = 64

_known: tuple[str, ...] | None = None


def learn_environment(environ: Mapping[str, str] | None = None) -> None:
    """Remember the values of secret-looking environment variables, beside those known already.

    Happens by itself at first use; call it again after variables were set. Values that are short
    (under 8 characters) or existing paths are left out.
    """
    global _known
    found = set(_known or ())
    for name, value in (os.environ if environ is None else environ).items():
        if len(value) >= _MIN_ENVIRONMENT and secrecy(name) and value not in MASK and not _is_plain(value):
            found |= {value, _percent(value)}
    _known = tuple(sorted(found, key=lambda secret: (-len(secret), secret)))


def _is_plain(value: str) -> bool:
    if value.lower() in HARMLESS:
        return True
    try:
        return value[0] in "/~." and Path(value).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _percent(value: str) -> str:
    """How the value looks inside a URL."""
    encoded = value.encode("utf-8", "surrogatepass")
    return "".join(
        chr(b) if (chr(b).isalnum() and b < 128) or chr(b) in "-._~" else f"%{b:02X}" for b in encoded
    )


def redact_text(text: str) -> str:
    """`text` with every recognised secret masked; `text` itself where there is none."""
    if _known is None:
        learn_environment()
    for _ in range(4):  # a mask may join what stood on its two sides into a secret again
        masked = _redact_once(text)
        if masked == text:
            break
        text = masked
    return text


def _redact_once(text: str) -> str:
    before = text
    for secret in _known or ():
        if secret in text:
            text = text.replace(secret, MASK)
    lowered = text.lower()
    text = mask_assigned(mask_forms(text, lowered), lowered)
    return before if text == before else text


def redact_value(key: str, value: Any, extra: re.Pattern[str] | None = None) -> Any:
    """A JSON-like `value` that stands under `key`, with its secrets masked.

    Args:
        key: flat name; where it looks secret, or `extra` matches it, every text below is masked whole.
        value: None, bool, int, float, str, list, tuple, dict or anything else (left alone).
        extra: further names to treat as secret, see `key_pattern`.
    """
    return _redact(key, value, extra, 0)


def redact_tree(
    values: Mapping[str, Any], extra: re.Pattern[str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """A copy of a mapping with secrets masked in keys and values, and the (masked) keys where that was."""
    out: dict[str, Any] = {}
    masked: list[str] = []
    for key, value in values.items():
        clean = redact_value(key, value, extra)
        name = _free_name(redact_text(key) if isinstance(key, str) else key, out)
        out[name] = clean
        if clean is not value or name is not key:
            masked.append(name)
    return out, masked


def _redact(key: str, value: Any, extra: re.Pattern[str] | None, depth: int) -> Any:
    if isinstance(value, str):
        if value and isinstance(key, str) and (secrecy(key) or (extra is not None and extra.match(key))):
            return value if value == MASK else MASK
        return redact_text(value)
    if isinstance(value, (dict, list, tuple)):
        if depth >= _MAX_DEPTH:
            return MASK  # nothing that deep is meant for people
        if isinstance(value, dict):
            return _redact_dict(key, value, extra, depth)
        return _redact_list(key, value, extra, depth)
    if isinstance(value, (bytes, bytearray)) and isinstance(key, str) and secrecy(key):
        return MASK
    return value


def _redact_dict(key: str, value: dict[Any, Any], extra: re.Pattern[str] | None, depth: int) -> Any:
    out: dict[Any, Any] = {}
    changed = False
    for name, item in value.items():
        under = f"{key}/{name}" if isinstance(name, str) else key
        clean = _redact(under, item, extra, depth + 1)
        label = _free_name(redact_text(name) if isinstance(name, str) else name, out)
        out[label] = clean
        changed = changed or clean is not item or label is not name
    return out if changed else value


def _redact_list(key: str, value: Any, extra: re.Pattern[str] | None, depth: int) -> Any:
    out: list[Any] = []
    changed = False
    flag = key
    for item in value:
        clean = _redact(flag, item, extra, depth + 1)
        out.append(clean)
        changed = changed or clean is not item
        # ["--password", "x"]: a command line as a list
        is_flag = type(item) is str and item[:1] == "-" and "=" not in item and len(item) < 64
        flag = f"{key}/{item.lstrip('-')}" if is_flag else key
    if not changed:
        return value
    return tuple(out) if isinstance(value, tuple) else out


def _free_name(name: Any, taken: dict[Any, Any]) -> Any:
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
