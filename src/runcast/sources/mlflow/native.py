"""What MLflow's own clients put beside params and points: images, tables, files, datasets.

Images of ``log_image`` and tables of ``log_table`` are media. Every other file is in an artifact: one for
each folder at the top, and one called ``files`` for those that are in none. MLflow does not tell when a
file came: these records have the time of the run's start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.records import Artifact, FileRef, Input, Lost, Media, Record
from runcast.sources.mlflow.files import Files
from runcast.sources.mlflow.said import digest
from runcast.sources.mlflow.stored import Dataset

_IMAGE = re.compile(
    r"images/(?P<key>.+)(?P<s>[+%])step(?P=s)(?P<step>-?\d+)(?P=s)timestamp(?P=s)(?P<ms>\d+)(?P=s)[^+%/]+\.png"
)
_THUMBNAIL = re.compile(r"images/.+[+%]step[+%]-?\d+[+%]timestamp[+%]\d+[+%].*compressed\.webp")
_LOOSE = "files"
_MS = 1_000_000


class Native:
    """Records of a run's files and inputs.

    Args:
        files: the run's.
        blobs: takes their content.
        time: ns, of what has no time of its own.
    """

    def __init__(self, files: Files, blobs: Blobs, time: int) -> None:
        self._files, self._blobs, self._time = files, blobs, time

    def records(self, paths: list[str], tables: list[str]) -> Iterator[Record]:
        """Media and artifacts of these files; `tables` are those that ``log_table`` wrote."""
        others = []
        for path in paths:
            if (match := _IMAGE.fullmatch(path)) is not None:
                yield self._image(path, match)
            elif path in tables and path.endswith(".json"):
                yield self._table(path)
            elif not _THUMBNAIL.fullmatch(path):
                others.append(path)
        for name, inside in _grouped(others).items():
            yield from self._artifact(name, inside)

    def _image(self, path: str, match: re.Match[str]) -> Record:
        key = match["key"].replace("~" if match["s"] == "+" else "#", "/")
        try:
            file = self._files.keep(path, f"{PurePosixPath(key).name}.png", self._blobs)
            with self._files.local(path) as local, local.open("rb") as content:
                head = content.read(24)
        except (OSError, SourceError) as error:
            return Lost(time=self._time, key=key, reason=f"an image is gone: {error}")
        size = {"width": int.from_bytes(head[16:20], "big"), "height": int.from_bytes(head[20:24], "big")}
        return Media(
            time=int(match["ms"]) * _MS, key=key, step=int(match["step"]), type="image", file=file,
            data={"items": [size]},
        )  # fmt: skip

    def _table(self, path: str) -> Record:
        key = path.removesuffix(".json")
        try:
            table = json.loads(self._files.read(path))
            rows, columns = len(table["data"]), len(table["columns"])
            file = self._files.keep(path, f"{PurePosixPath(key).name}.table.json", self._blobs)
        except (OSError, SourceError) as error:
            return Lost(time=self._time, key=key, reason=f"a table is gone: {error}")
        except (ValueError, KeyError, TypeError):
            return Lost(time=self._time, key=key, reason=f"{path} is no table")
        data = {"rows": rows, "columns": columns}
        return Media(time=self._time, key=key, step=0, type="table", file=file, data=data)

    def _artifact(self, name: str, inside: dict[str, str]) -> Iterator[Record]:
        kept: list[FileRef] = []
        for path, place in inside.items():
            try:
                kept.append(self._files.keep(place, path, self._blobs))
            except (OSError, SourceError) as error:
                yield Lost(time=self._time, key=place, reason=f"a file is gone: {error}")
        if kept:
            kind = "model" if "MLmodel" in inside else "file"
            pairs = [(file.path, file.sha256) for file in kept]
            yield Artifact(time=self._time, name=name, type=kind, files=kept, digest=digest(pairs))

    def datasets(self, found: list[Dataset]) -> Iterator[Input]:
        """Dataset inputs."""
        for dataset in found:
            metadata = {
                name: value
                for name, text in (("schema", dataset.schema), ("profile", dataset.profile))
                if (value := _json(text)) is not None
            }
            tags = dict(dataset.tags)
            context = tags.pop("mlflow.data.context", None)
            if tags:
                metadata["tags"] = tags
            if dataset.source_type:
                metadata["source"] = {"type": dataset.source_type, "source": _json(dataset.source)}
            yield Input(
                time=self._time, name=dataset.name, type="dataset", context=context, digest=dataset.digest,
                source=_uri(dataset.source), metadata=metadata,
            )  # fmt: skip


def _grouped(paths: list[str]) -> dict[str, dict[str, str]]:
    """Artifact → path inside → place."""
    groups: dict[str, dict[str, str]] = {}
    for path in paths:
        folder, slash, rest = path.partition("/")
        if slash:
            groups.setdefault(folder, {})[rest] = path
    loose = _LOOSE
    while loose in groups:
        loose += "_"
    for path in paths:
        if "/" not in path:
            groups.setdefault(loose, {})[path] = path
    return groups


def _json(text: str | None) -> Any:
    """JSON-like, or the text where it is no JSON."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return text
    # Columns alone are what a record calls a schema.
    return value["mlflow_colspec"] if isinstance(value, dict) and set(value) == {"mlflow_colspec"} else value


def _uri(source: str) -> str | None:
    said = _json(source)
    found = [said.get(name) for name in ("uri", "url", "path")] if isinstance(said, dict) else []
    return next((str(value) for value in found if value), None)
