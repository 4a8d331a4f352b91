"""Secrets inside text that are known by the name before them: ``password=x``, ``--api-key x``."""

from __future__ import annotations

import re

from runcast.redact.forms import lazily
from runcast.redact.names import MASK, secrecy, words

_NEEDLES = ("pass", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "bearer")
_VALUE = (
    r"(?P<value>\[redacted\]|\\[\"'](?:[^\"'\\\n]|\\[^\"']){0,4096}\\[\"']|\"(?:[^\"\\\n]|\\.){0,4096}\""
    r"|'(?:[^'\\\n]|\\.){0,4096}'|[\"'][^\n\"']{1,4096}|[^\s&\"'<>\\]{0,4096}[^\s&\"'<>\\,;)}\]])"
)
_ASSIGNED = lazily(
    rf"(?P<name>(?:{'|'.join(_NEEDLES)})[\w.\-]{{0,40}})(?![\w.\-])"
    rf"(?P<sep>\\?[\"']?\]?\s{{0,4}}(?:=>|:=|=|:(?!//))\s{{0,4}}){_VALUE}",
    re.I,
)
_FLAG = lazily(rf"(?<!\S)--?(?P<name>[A-Za-z][\w\-]{{0,60}})(?P<sep>\s{{1,4}}){_VALUE}")
HARMLESS = words("none null nil true false yes no on off undefined str bytes optional int bool string")
NUMBER = re.compile(r"[+-]?\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?")


def _mask_named(text: str, pattern: re.Pattern[str]) -> str:
    out: list[str] = []
    done = position = 0
    while match := pattern.search(text, position):
        name = text[_name_start(text, match.start("name")) : match.end("name")]
        if not _is_masked_here(name, match):
            position = match.end("name")  # the "value" may hold a name of its own
            continue
        value = match["value"]
        quote = re.match(r"\\?[\"']", value)
        edge = quote[0] if quote else ""
        out += [text[done : match.start("value")], edge, MASK, edge if value.endswith(edge) else ""]
        done = position = match.end()
    return "".join([*out, text[done:]]) if out else text


def _name_start(text: str, start: int) -> int:
    lowest = max(0, start - 64)
    while start > lowest and (text[start - 1].isalnum() or text[start - 1] in "_-."):
        start -= 1
    return start


def _is_masked_here(name: str, match: re.Match[str]) -> bool:
    strength = secrecy(name.strip("-."))
    core = match["value"].strip("\\\"'")
    if not strength or not core or core.lower() in HARMLESS or (match["sep"].isspace() and core[0] == "-"):
        return False
    if strength == 2 or core == MASK:
        return True
    if NUMBER.fullmatch(core):
        return False  # "loss per token=0.52"
    if match["sep"] == "=" or match["sep"].isspace() or match["value"] != core:
        return True
    # "token: x" and "token = x" are prose and code as often as they are secrets.
    return len(core) >= 8 and any(character.isdigit() for character in core)


def mask_assigned(text: str, lowered: str) -> str:
    """`text` with the values of secret-looking names masked; `lowered` is ``text.lower()``."""
    for needle in _NEEDLES:
        if needle in lowered:
            return _mask_named(_mask_named(text, _ASSIGNED()), _FLAG())
    return text
