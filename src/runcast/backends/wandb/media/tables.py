"""Tables as W&B's client writes them: a file to look at, and an artifact of type ``run_table``."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from runcast import render
from runcast.backends.wandb import artifacts, spelling
from runcast.backends.wandb.media.place import Place
from runcast.backends.wandb.runfiles import store
from runcast.formats import wandb_log

SHOWN_ROWS = 10_000
"""Rows of the file that W&B's charts read, as in its client; the artifact has every row."""
_NONE = {"wb_type": "none"}


def show(place: Place) -> dict[str, Any]:
    """The ``table`` of a record."""
    columns, rows = render.table(place.source(place.record.contents[0]))
    place.caption_aside()
    return value(place, columns, rows)


def value(
    place: Place, columns: list[str], rows: list[list[Any]], *, key: str | None = None
) -> dict[str, Any]:
    """A table's value in the row; its files and its artifact are written.

    Args:
        place: where it goes.
        columns: names.
        rows: JSON-like cells; floats may be NaN or infinite.
        key: the name in the row, where it is not the record's own.
    """
    key = key or place.key
    columns = [spelling.prose(name) for name in columns]
    shown = {"columns": columns, "data": rows[:SHOWN_ROWS]}
    stored = place.write("table", ".table.json", json.dumps(shown, separators=(",", ":")).encode(), key)
    made = _artifact(place, key, columns, rows)
    inside = made.entries[0].path
    place.transcript.say(made)
    return {
        "_type": "table-file", **stored, "ncols": len(columns), "nrows": len(rows), "log_mode": "IMMUTABLE",
        "artifact_path": f"wandb-client-artifact://{made.client_id}/{inside}",
        "_latest_artifact_path": f"wandb-client-artifact://{made.sequence_client_id}:latest/{inside}",
    }  # fmt: skip


def _artifact(place: Place, key: str, columns: list[str], rows: list[list[Any]]) -> wandb_log.Artifact:
    types = {name: _union(row[number] for row in rows) for number, name in enumerate(columns)}
    content = {
        "_type": "table",
        "column_types": {"params": {"type_map": types}, "wb_type": "typedDict"},
        "columns": columns,
        "data": [[_cell(cell) for cell in row] for row in rows],
        "log_mode": "IMMUTABLE", "ncols": len(columns), "nrows": len(rows),
    }  # fmt: skip
    text = json.dumps(content).encode()
    path = f"{spelling.path(key)}.table.json"
    local = place.folder / "artifacts" / f"{hashlib.sha256(text).hexdigest()}.table.json"
    store(local, text)
    identity = f"{place.where.run_id}/{place.record.writer}/{place.record.seq}/{key}"
    return artifacts.generated(
        place.where, f"run-{place.where.run_id}-{key}", "run_table", path, local, identity
    )


def _cell(cell: Any) -> Any:
    # W&B's client writes NaN as null here, and as NaN into the file that is looked at.
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else ("Infinity" if cell > 0 else "-Infinity")
    if isinstance(cell, list):
        return [_cell(inner) for inner in cell]
    if isinstance(cell, dict):
        return {name: _cell(inner) for name, inner in cell.items()}
    return cell


def _union(cells: Any) -> dict[str, Any]:
    names = {_type(_cell(cell)) for cell in cells} - {"none"}
    if not names:
        return _NONE
    if names - {"boolean", "number", "string"}:
        return {"wb_type": "any"}
    allowed = [{"wb_type": name} for name in sorted({*names, "none"})]
    return {"params": {"allowed_types": allowed}, "wb_type": "union"}


def _type(cell: Any) -> str:
    if cell is None:
        return "none"
    if isinstance(cell, bool):
        return "boolean"
    return {int: "number", float: "number", str: "string"}.get(type(cell), "any")
