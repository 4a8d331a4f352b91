"""Names that a tracker refuses, made legal so that they can be turned back.

An illegal character becomes ``_x<hex code point>_``, as spreadsheets write it; an underscore of the
name's own that would read as the start of such an escape is escaped too. So `unescape` gives back
every name, and two names never meet. A name over the tracker's limit keeps its head and gets a digest;
that one cannot be turned back alone, so a backend keeps the map with the run.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"_x(0|10[0-9a-f]{4}|[1-9a-f][0-9a-f]{0,4})_")  # each code point in one way
_EMPTY = "_xempty_"
_DIGEST = 16
_BACKEND = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_CUT = re.compile(rf"-[0-9a-f]{{{_DIGEST}}}\Z")


def escape(name: str, illegal: re.Pattern[str], limit: int) -> str:
    """A legal name for `name`; `name` itself where it is legal and reads as no escape.

    Args:
        name: any text, lone surrogates and the empty string included.
        illegal: matches what the tracker refuses; every character of a match is escaped.
            ASCII letters, digits, ``_`` and ``-`` must be legal.
        limit: longest legal name in characters, at least 32.
    """
    if not name:
        return _EMPTY
    head = name[: limit + 1]  # what is behind can only make it too long
    refused = {i for match in illegal.finditer(head) for i in range(*match.span())}
    if name == _EMPTY:
        refused.add(0)
    out = _escape_positions(head, refused) if refused or _ESCAPE.search(head) else head
    if len(out) < limit or (len(out) == limit and not _CUT.search(out)):  # else it may meet a cut one
        return out
    import hashlib

    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{out[: limit - _DIGEST - 1]}-{digest}"


def _escape_positions(name: str, refused: set[int]) -> str:
    # From right to left, because whether an underscore reads as an escape depends on what follows it.
    out = ""
    for i in range(len(name) - 1, -1, -1):
        character = name[i]
        if i in refused or (character == "_" and _ESCAPE.match("_" + out)):
            out = f"_x{ord(character):x}_{out}"
        else:
            out = character + out
    return out


def unescape(name: str) -> str:
    """The name that `escape` was given, unless it was cut to the limit."""
    if name == _EMPTY:
        return ""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), name)


def is_backend_name(text: str) -> bool:
    """Whether a backend may be called so; the name is also that of a folder."""
    return _BACKEND.fullmatch(text) is not None
