"""Values of rows that are no numbers, in the forms of ``docs/media.md``."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from runcast import codec
from runcast.journal import Blobs
from runcast.records import FileRef, Lost, Media, Record
from runcast.sources.wandb import points
from runcast.sources.wandb.about import Files, Held
from runcast.sources.wandb.contents import make, take

_SHOWN_ROWS = 10_000
"""Rows that the file of a table has at most, as W&B's client makes it; its artifact has all."""
_OBJECTS = ("obj", "glb", "gltf", "stl", "babylon")
_BAD = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError)


class Cells:
    """Turns cells into media.

    Args:
        files: the run's files.
        blobs: take contents.
        labels: ``KEY_wandb_delimeter_MASK`` (W&B's spelling) → names of a mask's classes.

    Attributes:
        used: paths of files that media were made of.
        tables: client's id → the artifact that holds a table's rows, all of them.
    """

    def __init__(self, files: Files, blobs: Blobs, labels: Mapping[str, Any]) -> None:
        self.used: set[str] = set()
        self.tables: dict[str, Held] = {}
        self._files, self._blobs, self._labels = files, blobs, labels
        self._key = ""
        self._waiting: list[tuple[str, int, int, dict[str, Any]]] = []
        self._forms: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "image-file": self._image, "images/separated": self._images, "html-file": self._one("html"),
            "plotly-file": self._plotly, "audio-file": self._one("audio"), "video-file": self._one("video"),
            "table-file": self._table, "object3D-file": self._object, "histogram": self._histogram,
        }  # fmt: skip

    def records(self, key: str, step: int, time: int, cell: Any) -> Iterator[Record]:
        """A cell as a record, or as `Lost` where it is of no kind that there is."""
        if isinstance(cell, str):
            yield Media(time=time, key=key, step=step, type="text", text=cell)
            return
        kind = cell.get("_type") if isinstance(cell, dict) else None
        if kind == "table-file" and self._is_cut(cell):
            # Its artifact comes behind the row in the log.
            self._waiting.append((key, step, time, cell))
            return
        form = self._forms.get(kind) if isinstance(kind, str) else None
        if form is None and kind is None and cell is not None:
            text = json.dumps(cell)
            yield Media(time=time, key=key, step=step, type="text", text=text)
            return
        yield from self._made(key, step, time, cell, form)

    def rest(self) -> Iterator[Record]:
        """Tables whose rows stand in artifacts."""
        for key, step, time, cell in self._waiting:
            yield from self._made(key, step, time, cell, self._table)
        self._waiting.clear()

    def _made(
        self,
        key: str,
        step: int,
        time: int,
        cell: Any,
        form: Callable[[dict[str, Any]], dict[str, Any]] | None,
    ) -> Iterator[Record]:
        kind = cell.get("_type") if isinstance(cell, dict) else "null"
        if form is None:
            where = ""
            if isinstance(cell, dict) and isinstance(cell.get("path"), str):
                where = f"; its file {cell['path']} comes with the run's files"
            yield Lost(time=time, key=key, reason=f"runcast has no media of W&B's type {kind}{where}")
            return
        self._key = key
        try:
            yield Media(time=time, key=key, step=step, **form(cell))
        except _BAD as error:
            reason = f"{kind} at step {step} cannot be read: {str(error) or type(error).__name__}"
            yield Lost(time=time, key=key, reason=reason)

    def _place(self, path: Any) -> Path:
        place = self._files.get(path) if isinstance(path, str) else None
        if place is None:
            raise ValueError(f"its file {path!r} is gone")
        self.used.add(path)
        return place

    def _file(self, path: Any) -> FileRef:
        return take(self._blobs, PurePosixPath(str(path)).name, self._place(path))

    def _one(self, kind: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def form(cell: dict[str, Any]) -> dict[str, Any]:
            file = self._file(cell["path"])
            return {"type": kind, "file": file, **_caption(cell)}

        return form

    def _plotly(self, cell: dict[str, Any]) -> dict[str, Any]:
        return {"type": "figure", "file": self._file(cell["path"]), "data": {"library": "plotly"}}

    def _image(self, cell: dict[str, Any]) -> dict[str, Any]:
        files = [self._file(cell["path"])]
        item: dict[str, Any] = {"width": _int(cell, "width"), "height": _int(cell, "height")}
        if isinstance(cell.get("caption"), str):
            item["caption"] = cell["caption"]
        self._overlays(item, files, cell.get("masks"), cell.get("boxes"), 1)
        return {"type": "image", "file": files[0], "files": files[1:], "data": {"items": [item]}}

    def _images(self, cell: dict[str, Any]) -> dict[str, Any]:
        pictures = [self._file(path) for path in cell["filenames"]]
        files = list(pictures)
        items = []
        for number in range(len(pictures)):
            item: dict[str, Any] = {"width": _int(cell, "width"), "height": _int(cell, "height")}
            caption = _at(cell.get("captions"), number)
            if isinstance(caption, str):
                item["caption"] = caption
            masks, boxes = _at(cell.get("all_masks"), number), _at(cell.get("all_boxes"), number)
            self._overlays(item, files, masks, boxes, len(files))
            items.append(item)
        return {"type": "image", "file": files[0], "files": files[1:], "data": {"items": items}}

    def _overlays(
        self, item: dict[str, Any], files: list[FileRef], masks: Any, boxes: Any, number: int
    ) -> None:
        for name, mask in (masks if isinstance(masks, dict) else {}).items():
            files.append(self._file(mask["path"]))
            known = self._labels.get(f"{self._key}_wandb_delimeter_{name}")
            classes = known.get("value") if isinstance(known, dict) else None
            item.setdefault("masks", {})[name] = {"file": number, "classes": _texts(classes)}
            number += 1
        for name, group in (boxes if isinstance(boxes, dict) else {}).items():
            said = json.loads(self._place(group["path"]).read_bytes())
            item.setdefault("boxes", {})[name] = {
                "boxes": [_box(box) for box in said["box_data"]],
                "classes": _texts(said.get("class_labels")),
            }

    def _is_cut(self, cell: dict[str, Any]) -> bool:
        rows = cell.get("nrows")
        return isinstance(rows, int) and rows > _SHOWN_ROWS

    def _table(self, cell: dict[str, Any]) -> dict[str, Any]:
        said = json.loads(self._place(cell["path"]).read_bytes())
        columns, data = [str(name) for name in said["columns"]], said["data"]
        rows = cell.get("nrows")
        if isinstance(rows, int) and rows > len(data):
            data = self._rows(str(cell.get("artifact_path", ""))) or data
        content = {"columns": columns, "data": codec.pack(data)}
        file = make(self._blobs, "table.table.json", codec.to_json(content))
        return {"type": "table", "file": file, "data": {"rows": len(data), "columns": len(columns)}}

    def _rows(self, uri: str) -> list[Any] | None:
        """All rows of a table, from its artifact; the run's own file has the first ones only."""
        client_id, _, path = uri.rpartition("//")[2].partition("/")
        held = self.tables.get(client_id)
        for file in held.files() if held else ():
            place = file.fetch() if file.path == path else None
            if place is not None:
                found = json.loads(place.read_bytes())["data"]
                return found if isinstance(found, list) else None
        return None

    def _object(self, cell: dict[str, Any]) -> dict[str, Any]:
        path = str(cell["path"])
        form = path.rpartition(".")[2].lower()
        if path.endswith(".pts.json"):
            npy, count = points.npy(json.loads(self._place(path).read_bytes()))
            file = make(self._blobs, "points.npy", npy)
            return {"type": "point_cloud", "file": file, "data": {"points": count}, **_caption(cell)}
        if form not in _OBJECTS:
            raise ValueError(f"no 3D object of format {form!r}")
        return {"type": "object3d", "file": self._file(path), "data": {"format": form}, **_caption(cell)}

    def _histogram(self, cell: dict[str, Any]) -> dict[str, Any]:
        counts = list(cell["values"])
        packed = cell.get("packedBins")
        if isinstance(packed, dict):
            edges = [packed["min"] + n * packed["size"] for n in range(packed["count"] + 1)]
        else:
            edges = list(cell["bins"])
        if len(edges) != len(counts) + 1:
            raise ValueError(f"{len(edges)} edges of {len(counts)} bins")
        middles = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
        return {
            "type": "histogram",
            "data": {
                "edges": edges, "counts": counts, "num": sum(counts), "min": edges[0], "max": edges[-1],
                # W&B keeps no sums: these are of values in the middle of their bins.
                "sum": sum(n * x for n, x in zip(counts, middles, strict=True)),
                "sum_squares": sum(n * x * x for n, x in zip(counts, middles, strict=True)),
                "nonfinite": 0,
            },
        }  # fmt: skip


def _caption(cell: dict[str, Any]) -> dict[str, Any]:
    caption = cell.get("caption")
    return {"caption": caption} if isinstance(caption, str) else {}


def _box(box: dict[str, Any]) -> dict[str, Any]:
    spelled = {"position": box["position"], "domain": box.get("domain", "fraction")}
    spelled["class_id"] = box["class_id"]
    if isinstance(box.get("box_caption"), str):
        spelled["caption"] = box["box_caption"]
    return {**spelled, **({"scores": box["scores"]} if box.get("scores") else {})}


def _texts(values: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in values.items()} if isinstance(values, dict) else {}


def _at(values: Any, number: int) -> Any:
    return values[number] if isinstance(values, list) and number < len(values) else None


def _int(cell: dict[str, Any], name: str) -> int:
    value = cell.get(name)
    return value if isinstance(value, int) else 0
