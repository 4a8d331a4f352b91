"""One file of a media value in a form that MLflow's viewer of artifacts shows."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

from runcast import render
from runcast.backends.mlflow import names
from runcast.backends.mlflow.files import Content
from runcast.codec import unpack
from runcast.errors import Reject
from runcast.records import FileRef, Media

_PLOTLY = "https://cdn.plot.ly/plotly-3.1.0.min.js"
"""Where a browser finds plotly.js; MLflow's own ``log_figure`` refers to that place too."""


def of_file(record: Media, file: FileRef, source: Path) -> dict[str, Content]:
    """Suffix → content: what is looked at comes first, the file as it was last.

    Raises:
        Reject: the content is not what the record's type says.
    """
    name = names.artifact_path(file.path)
    suffix = PurePosixPath(name).suffix
    if record.type == "table":
        return _table(source, record.key)
    if name.endswith(".plotly.json"):
        return {".html": _page(source.read_text("utf-8"), record.key), ".plotly.json": source}
    if record.type == "video" and suffix == ".npy":
        with contextlib.suppress(Reject):  # one that cannot be drawn is kept as it is
            return {".gif": render.gif(source, float(record.data.get("fps") or 4)), ".npy": source}
    return {suffix or (".txt" if record.type == "text" else ".bin"): source}


def _table(source: Path, key: str) -> dict[str, Content]:
    """As ``MlflowClient.log_table`` writes it: NaN and the infinities are null there, and exact beside it."""
    text = source.read_bytes()
    try:
        packed = json.loads(text)
        rows, columns = packed["data"], packed["columns"]
    except (ValueError, KeyError, TypeError):
        raise Reject(f"media {key!r}: its file is no table (columns and data)") from None
    if b'"$' not in text:
        return {".json": source}
    plain = {"columns": columns, "data": _finite(unpack(rows))}
    return {".json": json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"), ".table.json": source}


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return value


def _page(figure: str, key: str) -> bytes:
    try:
        parsed = json.loads(figure)
    except ValueError:
        raise Reject(f"media {key!r}: its file is no plotly figure") from None
    # "<" could end the script element that the figure stands in.
    safe = json.dumps(parsed).replace("<", "\\u003c")
    return (
        f'<!doctype html><meta charset="utf-8"><script src="{_PLOTLY}"></script>'
        '<div id="figure" style="height:95vh"></div>'
        f"<script>const f={safe};Plotly.newPlot('figure',f.data,f.layout,{{responsive:true}})</script>\n"
    ).encode()
