"""Values that are no numbers: what MLflow gets of each type, and where.

Each value has a stem, ``media/<type>/<key>/<step>`` (``text/<key>/<step>`` for text), and one file beside
another there: the content as it was, and where MLflow could not show that, a form that it can. Values of
one key, type and step are told apart by ``-2``, ``-3``, ... Images are in MLflow's image grid, see `images`.
Numbers (histograms, evaluation plots) are ``<stem>.json`` (floats packed as in records) and a drawing of
them, ``<stem>.svg``; raw values are ``<stem>.npy``.

The residual has one line for each value, see `runcast.backends.mlflow.residual`.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import PurePosixPath
from typing import Any

import msgspec

from runcast import render
from runcast.backends.mlflow import forms, images, names
from runcast.backends.mlflow.files import Content, Files
from runcast.backends.mlflow.plan import Plan
from runcast.backends.mlflow.residual import Residual, line, shown
from runcast.codec import pack
from runcast.errors import Reject
from runcast.records import FileRef, Media

_NATIVE = ("image", "figure", "table")
"""Types that MLflow has a call for."""
_BINS = 64
_TABLES = "mlflow.loggedArtifacts"
_NUMBERS = frozenset(
    ("histogram", "confusion_matrix", "roc_curve", "pr_curve", "calibration", "feature_importance")
)


class MediaFiles:
    """The values of one run."""

    def __init__(self, files: Files, residual: Residual, run_id: str) -> None:
        self._files, self._residual, self._run_id = files, residual, run_id
        self._taken: dict[str, tuple[Any, ...]] | None = None
        self._tables: dict[str, None] = {}

    def upload(self, plan: Plan, record: Media) -> None:
        """Upload one value; two of the same key and step get two places.

        Raises:
            Reject: it has no content, or one that is not as its type says.
        """
        if self._taken is None:
            facts = list(self._residual.facts("media"))
            self._taken = {_stem(fact["path"]): _identity(fact) for fact in facts}
            self._tables = {fact["path"]: None for fact in facts if fact["type"] == "table"}
        fact = {
            "key": record.key,
            "step": record.step,
            "time": record.time,
            "type": record.type,
            "digest": _digest(record),
        }
        if record.type == "image":
            parts, more = images.parts(plan, record, self._files, self._run_id)
        else:
            parts, more = self._parts(record, self._free(record, _identity(fact)))
        for path, content in parts.items():
            self._files.put(path, content)
        self._taken[_stem(more["path"])] = _identity(fact)
        path = more.pop("path")
        caption = {} if record.caption is None else {"caption": record.caption}
        apart = {"apart": True} if record.file is None and record.files else {}
        kept = {ref["as"] for ref in more.get("files", ())}
        made = [place for place in parts if place not in kept]
        plan.lines.append(line(kind="media", path=path, **fact, **caption, **more, **apart, made=made))
        if record.type == "table":
            self._list_table(plan, path)
        elif record.type not in _NATIVE:
            plan.change("degraded", record.key, f"MLflow shows it as a file: {PurePosixPath(path).parent}/")

    def _parts(self, record: Media, stem: str) -> tuple[dict[str, Content], dict[str, Any]]:
        """The files of a value, and what its line says of them beside its identity."""
        what = f"media {record.key!r} at step {record.step}"
        if record.text is not None:
            suffix = ".html" if record.type == "html" else ".txt"
            content: Content = record.text.encode("utf-8", "surrogatepass")
            return {stem + suffix: content}, {"path": stem + suffix, **_data(record)}
        if record.type in _NUMBERS:
            return self._numbers(record, stem, what)
        if not record.contents:
            raise Reject(f"{what} has no content")
        sources = [(file, self._files.content(what, file)) for file in record.contents]
        if len(sources) > 1:
            places = [f"{stem}/{names.artifact_path(file.path)}" for file, _ in sources]
            parts: dict[str, Content] = {
                place: source for place, (_, source) in zip(places, sources, strict=True)
            }
            return parts, {"path": stem, "files": _refs(record, places), **_data(record)}
        (file, source) = sources[0]
        made = forms.of_file(record, file, source)
        parts = {stem + suffix: content for suffix, content in made.items()}
        # The first is what people look at; the last is the file as it was.
        paths = list(parts)
        return parts, {"path": paths[0], "files": _refs(record, paths[-1:]), **_data(record)}

    def _numbers(self, record: Media, stem: str, what: str) -> tuple[dict[str, Content], dict[str, Any]]:
        data = dict(record.data)
        more: dict[str, Any] = {}
        parts: dict[str, Content] = {}
        if record.contents:
            source = self._files.content(what, record.contents[0])
            edges, counts = render.histogram(source, int(data.get("bins") or _BINS))
            data |= {"edges": list(edges), "counts": list(counts)}
            more = {"files": _refs(record, [f"{stem}.npy"]), **_data(record)}
            parts[f"{stem}.npy"] = source
        parts[f"{stem}.json"] = json.dumps(pack(data), ensure_ascii=True).encode()
        with contextlib.suppress(Reject):
            # Numbers of another form are kept all the same, without a drawing.
            drawn = render.svg(msgspec.structs.replace(record, data=data))
            parts[f"{stem}.svg"] = drawn.encode("utf-8", "replace")
        return parts, {"path": f"{stem}.json", **more}

    def _free(self, record: Media, identity: tuple[Any, ...]) -> str:
        key = record.key if len(record.key) <= names.KEY_LIMIT else names.key(record.key)
        kind = "text" if record.type == "text" else f"media/{names.file_name(record.type)}"
        first = stem = f"{kind}/{names.artifact_path(key)}/{record.step}"
        taken, number = self._taken or {}, 1
        while taken.get(stem, identity) != identity:
            number += 1
            stem = f"{first}-{number}"
        return stem

    def _list_table(self, plan: Plan, path: str) -> None:
        """Name a table in the tag by which MLflow finds tables; the latest ones, where it gets too long."""
        self._tables[path] = None
        listed = [{"path": table, "type": "table"} for table in self._tables]
        while len(json.dumps(listed)) > names.TAG_LIMIT:
            del listed[0]
        plan.tags[_TABLES] = json.dumps(listed)


def _stem(path: str) -> str:
    head, slash, name = path.rpartition("/")
    return head + slash + name.partition(".")[0]


def _identity(fact: dict[str, Any]) -> tuple[Any, ...]:
    return (fact["key"], fact["step"], fact["time"], fact["digest"])


def _digest(record: Media) -> str:
    if record.text is not None:
        return shown(record.text)
    if len(record.contents) == 1:
        return record.contents[0].sha256
    if record.contents:
        return shown("".join(file.sha256 for file in record.contents))
    return shown(json.dumps(pack(record.data)))


def _data(record: Media) -> dict[str, Any]:
    return {"data": record.data} if record.data else {}


def _refs(record: Media, places: list[str]) -> list[dict[str, Any]]:
    def ref(file: FileRef, place: str) -> dict[str, Any]:
        return {"path": file.path, "as": place, "sha256": file.sha256, "size": file.size}

    return [ref(file, place) for file, place in zip(record.contents, places, strict=True)]
