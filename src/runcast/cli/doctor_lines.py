"""What the doctor says, with every secret masked."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from runcast.redact import redact_text, redact_value

_LONGEST = 500


class Value(BaseModel):
    """One setting: its value as JSON-like text, without secrets, and where it came from."""

    key: str
    value: str
    origin: str


class Line(BaseModel):
    """One finding: the part that was looked at, what was seen, and the mend where it is not ok."""

    section: str
    ok: bool
    what: str
    mend: str = ""

    def clean(self) -> Line:
        """The same without secrets, and of a bearable length."""
        texts = {"what": redact_text(self.what)[:_LONGEST], "mend": redact_text(self.mend)[:_LONGEST]}
        return self.model_copy(update=texts)


def show(key: str, value: Any) -> str:
    """A value for people: text bare, anything else as JSON; secrets masked."""
    clean = redact_value(key, value)
    if clean is None:
        return ""
    return clean if isinstance(clean, str) else json.dumps(clean, default=str)
