"""What no slot of MLflow can hold, line by line, so that a run can be read back exactly.

Lines are JSON objects in ``runcast/residual.jsonl`` among the run's artifacts. They grow in the run's
own folder, and go up when the run ends. The ``kind`` of a line:

- ``start``, ``finish``: a `RunStarted` and a `RunFinished` as they were said.
- ``param``, ``tag``, ``note``: the exact ``value``, or the ``file`` that holds it. ``shown`` is the start of
  the sha256 of the text in MLflow's slot: where that text was edited since, the edit wins.
- ``media``: ``key``, ``step``, ``time``, ``type``, ``caption``, ``data`` of the value at ``path``; ``files``
  are the record's, each with its place among the artifacts (``as``); ``apart`` where none of them is its
  ``file``. ``made`` names every other artifact that was put there for it. An image that was an array stands
  there as PNG, with the same pixels. Histograms and evaluation plots without a file have their ``data`` in
  the artifact at ``path``.
- ``artifact``, ``model``, ``input``, ``define``, ``environment``, ``trace``: a record of that kind; files
  have their places (``as``).
- ``name``: MLflow's name (``as``) of a ``key`` that it refuses.
- ``lost``: a record of that kind.

Floats that JSON lacks are ``{"$float": "inf"}``, as in the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runcast.codec import pack

ARTIFACT = "runcast/residual.jsonl"


def line(**fields: Any) -> bytes:
    """One line; equal facts give equal bytes."""
    plain = {name: pack(value) for name, value in fields.items()}
    return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def shown(text: str) -> str:
    """What ties a line to the text in MLflow's slot."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class Residual:
    """The file in the run's folder. Lines behind `size` were never acknowledged, and do not count."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def start_from(self, path: Path) -> None:
        """Begin with the lines of another file: what an earlier life of this run left in MLflow."""
        self._write(path.read_bytes(), 0)
        self.size = path.stat().st_size

    def append(self, lines: Sequence[bytes]) -> int:
        """Put `lines` behind what counts, and return the new size; count them by setting `size`."""
        return self._write(b"".join(lines), self.size) if lines else self.size

    def _write(self, data: bytes, start: int) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            file.truncate(start)
            file.seek(start)
            file.write(data)
            return file.tell()

    def lines(self, end: int | None = None) -> Iterator[bytes]:
        """Every line that counts (or those before `end`), each once, in order."""
        if not self.path.exists():
            return
        seen: set[bytes] = set()
        left = self.size if end is None else end
        with self.path.open("rb") as file:
            for text in file:
                left -= len(text)
                if left < 0:
                    return
                digest = hashlib.blake2b(text, digest_size=16).digest()
                if digest not in seen:
                    seen.add(digest)
                    yield text

    def facts(self, kind: str) -> Iterator[dict[str, Any]]:
        """The lines of one kind, decoded but for floats."""
        start = f'{{"kind":"{kind}"'.encode()
        for text in self.lines():
            if text.startswith(start):
                yield json.loads(text)
