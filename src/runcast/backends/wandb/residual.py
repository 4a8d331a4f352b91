"""What no slot of W&B's can hold, line by line, so that a run can be read back exactly.

Numbers stand in the rows of the log, with their times in the column `runcast.backends.wandb.rows.TIMES`.
Every other record keeps its own JSON, as the journal spells it, in ``files/runcast/residual.jsonl``, which
goes to the server as a file of the run. A line is a JSON object:

- ``{"wrote": {...}}``: the first; runcast's id of the run, and the run's own fields as they were written.
- ``{"name": [spelled, name]}``: a name that W&B has in another spelling.
- ``{"rows": n, "record": {...}}``: a record that was said when there were `n` rows, an open one included.
  ``at``: digest → place below ``files/`` of each content that the log's folder has. ``artifact``: the
  client's id, the name and the digest of the artifact in which W&B has its files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from runcast import codec
from runcast.backends.wandb.logfile import private_folder
from runcast.records import Record, RunStarted

PATH = "runcast/residual.jsonl"
"""Below ``files/``."""


class Residual:
    """The lines, made but not yet written.

    Args:
        state: JSON-like memory, changed in place: ``residual``, the length that counts.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        state.setdefault("residual", 0)
        self._state = state
        self._from = state["residual"]
        self._made: list[bytes] = []

    def say(self, **facts: Any) -> None:
        """A line of facts."""
        self._add(codec.to_json(facts))

    def keep(self, record: Record, rows: int, facts: dict[str, Any]) -> None:
        """A record, whoever wrote it, and where its contents are."""
        if isinstance(record, RunStarted):
            record = msgspec.structs.replace(record, base="", backends={}, routes={})
        said = codec.encode(msgspec.structs.replace(record, writer="", seq=0))
        head = codec.to_json({"rows": rows, **facts})
        self._add(head[:-1] + b',"record":' + said + b"}")

    def _add(self, line: bytes) -> None:
        self._made.append(line + b"\n")
        self._state["residual"] += len(line) + 1

    def forget(self) -> None:
        """Drop what was made and not written."""
        self._made = []

    def write(self, folder: Path, *, over: bool) -> None:
        """Put what was made since the last call into a run's folder, durably.

        Args:
            folder: the run's.
            over: nothing comes after it for now, so that older lines behind it can go.

        Raises:
            OSError: the disk refuses.
        """
        data, self._made = b"".join(self._made), []
        start, self._from = self._from, self._state["residual"]
        if not data:
            return
        path = folder / "files" / PATH
        private_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as stream:
            stream.seek(start)
            if stream.read(len(data)) != data:
                stream.truncate(start)
                stream.seek(start)
                stream.write(data)
                stream.flush()
                os.fsync(descriptor)
            elif over:
                stream.truncate(start + len(data))
