"""The map from old ids to new ones, to be used by whoever kept the old."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.errors import UsageError
from runcast.migrate.manifest import Manifest

COLUMNS = ("kind", "source", "destination", "runcast", "url", "name", "experiment", "state")


def rows(manifest: Manifest) -> list[dict[str, Any]]:
    """One of each run and model version: its id in the source, in the destination and here, where to look.

    The id of a model version is its name and number, as in ``digits:3``.
    """
    found: list[dict[str, Any]] = [
        {
            "kind": "run",
            "source": entry.source,
            "destination": entry.ref.id if entry.ref else "",
            "runcast": entry.run,
            "url": entry.ref.url if entry.ref else "",
            "name": entry.name,
            "experiment": entry.experiment,
            "state": entry.state,
        }
        for entry in manifest.runs.values()
    ]
    for model in manifest.models.values():
        for number, there in model.versions.items():
            ids = {"source": f"{model.source}:{number}", "destination": f"{model.name}:{there}"}
            about = {"name": model.source, "state": model.state}
            found.append(dict.fromkeys(COLUMNS, "") | {"kind": "model version"} | ids | about)
    return found


def as_csv(manifest: Manifest) -> str:
    """With a header; RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(manifest))
    return text.getvalue()


def write(manifest: Manifest, path: Path) -> None:
    """Write a ``.csv`` or ``.json`` file.

    Raises:
        UsageError: the name ends otherwise, or the file cannot be written.
    """
    if path.suffix == ".csv":
        data = as_csv(manifest).encode("utf-8", "backslashreplace")
    elif path.suffix == ".json":
        data = codec.to_json(rows(manifest)) + b"\n"
    else:
        raise UsageError(f"{path}: the map of ids is written as .csv or .json: name the file so")
    put(path, data)


def put(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        path.touch(mode=0o600)
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
