"""Traces of language models as one table of spans: W&B has no offline form of its own for them.

The spans wait in a file of the run's, of which a length is acknowledged, as of the log; the table is made
at the run's end, for W&B keeps each version of a table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runcast.records import Span, Trace

COLUMNS = [
    "trace", "span", "parent", "name", "type", "start", "latency", "inputs", "outputs", "model",
    "input_tokens", "output_tokens", "cost", "error", "session", "tags", "attributes", "events",
]  # fmt: skip
"""``start`` in seconds since 1970, ``latency`` in seconds, ``cost`` as the script said it; ``inputs`` to
``events`` that are no text are JSON."""
KEY = "runcast/traces"


class Spans:
    """The spans so far.

    Args:
        path: the file.
        state: JSON-like memory, changed in place: ``traces``, the acknowledged length.
    """

    def __init__(self, path: Path, state: dict[str, Any]) -> None:
        state.setdefault("traces", 0)
        self._path = path
        self._state = state

    def add(self, record: Trace) -> None:
        """Keep a trace's spans, durably.

        Raises:
            OSError: the disk refuses.
        """
        lines = "".join(json.dumps(_row(record, span)) + "\n" for span in record.spans).encode()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as stream:
            stream.truncate(self._state["traces"])
            stream.seek(self._state["traces"])
            stream.write(lines)
            stream.flush()
            os.fsync(stream.fileno())
        self._state["traces"] += len(lines)

    def rows(self) -> list[list[Any]]:
        """Every span, in the order of `COLUMNS`."""
        return list(self._rows())

    def _rows(self) -> Iterator[list[Any]]:
        left = self._state["traces"]
        if not left:
            return
        with self._path.open("rb") as stream:
            for line in stream:
                left -= len(line)
                if left < 0:
                    return
                yield json.loads(line)


def _row(trace: Trace, span: Span) -> list[Any]:
    about = span.attributes
    return [
        trace.id, span.id, span.parent, span.name, span.type, span.start / 1e9, (span.end - span.start) / 1e9,
        _cell(span.inputs), _cell(span.outputs),
        about.get("gen_ai.response.model") or about.get("gen_ai.request.model"),
        about.get("gen_ai.usage.input_tokens"), about.get("gen_ai.usage.output_tokens"),
        about.get("gen_ai.usage.cost"), span.error, trace.session, _cell(trace.tags or None),
        _cell(about or None), _cell(span.events or None),
    ]  # fmt: skip


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
