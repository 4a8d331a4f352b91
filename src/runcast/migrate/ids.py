"""The map from old ids to new ones, to be used by whoever kept the old."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from runcast import codec
from runcast.courier.folder import DeliveryFolder
from runcast.errors import UsageError
from runcast.journal import Layout
from runcast.migrate.manifest import Manifest

COLUMNS = ("kind", "source", "destination", "runcast", "url", "name", "experiment", "state")


def rows(manifest: Manifest, layout: Layout) -> list[dict[str, Any]]:
    """One of each thing with an id: what it is in the source, in the destination and here, where to look.

    Behind each run stand the logged models, artifacts and traces that it made; those of the trackers that
    know them by an id, as far as the source does, too. The id of a model version is its name and number, as
    in ``digits:3``.

    Args:
        manifest: of the migration.
        layout: where its journals are.
    """
    found: list[dict[str, Any]] = []
    for entry in manifest.runs.values():
        about = {"runcast": entry.run, "experiment": entry.experiment, "state": entry.state}
        found.append(
            {
                "kind": "run",
                "source": entry.source,
                "destination": entry.ref.id if entry.ref else "",
                "url": entry.ref.url if entry.ref else "",
                "name": entry.name,
                **about,
            }
        )
        if entry.state == "removed":
            continue
        for made in DeliveryFolder(layout.delivery(entry.run, manifest.backend)).load_made():
            ids = {"kind": made.what, "source": made.source, "destination": made.id, "url": made.url}
            found.append({**ids, "name": made.key, **about})
    for model in manifest.models.values():
        for number, there in model.versions.items():
            ids = {"source": f"{model.source}:{number}", "destination": f"{model.name}:{there}"}
            about = {"name": model.source, "state": model.state}
            found.append(dict.fromkeys(COLUMNS, "") | {"kind": "model version"} | ids | about)
    return found


def as_csv(manifest: Manifest, layout: Layout) -> str:
    """With a header; RFC 4180."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(manifest, layout))
    return text.getvalue()


def write(manifest: Manifest, layout: Layout, path: Path) -> None:
    """Write a ``.csv`` or ``.json`` file.

    Raises:
        UsageError: the name ends otherwise, or the file cannot be written.
    """
    check_name(path)
    if path.suffix == ".csv":
        put(path, as_csv(manifest, layout).encode("utf-8", "backslashreplace"))
    else:
        put(path, codec.to_json(rows(manifest, layout)) + b"\n")


def check_name(path: Path) -> None:
    """Say before a migration what `write` would say after it.

    Raises:
        UsageError: the name ends in neither ``.csv`` nor ``.json``.
    """
    if path.suffix not in (".csv", ".json"):
        raise UsageError(f"{path}: the map of ids is written as .csv or .json: name the file so")


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
