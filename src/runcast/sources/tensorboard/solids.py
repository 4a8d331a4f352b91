"""Meshes, point clouds and graphs."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

from runcast.formats.tfevents import MeshPart, Tensor
from runcast.formats.tfevents.wire import fields
from runcast.records import FileRef, Record
from runcast.sources.tensorboard.item import Item, npy


def meshes(items: Sequence[Item]) -> Iterator[Record]:
    """The values of one event, each a part of a mesh that its metadata names.

    Raises:
        ValueError: a part is damaged, or they do not fit.
    """
    parts: dict[str, dict[int, tuple[Item, Tensor]]] = {}
    configs: dict[str, str] = {}
    for item in items:
        about = {number: value for number, _, value in fields(item.content)}
        name, kind = about.get(2, b""), about.get(3, 0)
        if not isinstance(name, bytes) or not isinstance(kind, int):
            raise ValueError("its metadata is damaged")
        key = name.decode("utf-8", "replace") or item.key.rpartition("_")[0]
        parts.setdefault(key, {})[kind] = item, item.tensor()
        config = about.get(5, b"")
        if isinstance(config, bytes) and config not in (b"", b"{}"):
            configs[key] = config.decode("utf-8", "replace")
    for key, found in parts.items():
        yield from _mesh(key, found, configs.get(key))


def _mesh(key: str, found: dict[int, tuple[Item, Tensor]], config: str | None) -> Iterator[Record]:
    if MeshPart.VERTEX not in found:
        raise ValueError("it has no vertices")
    item, vertices = found[MeshPart.VERTEX]
    more = {"config": config} if config else {}
    for number in range(vertices.shape[0] if len(vertices.shape) == 3 else 1):
        name = f"{key}/{number}" if number else key
        points = _rows(vertices, number)
        colors = _rows(found[MeshPart.COLOR][1], number) if MeshPart.COLOR in found else []
        if MeshPart.FACE in found:
            faces = _rows(found[MeshPart.FACE][1], number)
            yield _with_faces(item, name, points, colors, faces, more)
        else:
            cells = [[*p, *c] for p, c in zip(points, colors, strict=True)] if colors else points
            file = _array(item, "points.npy", "f", cells)
            yield item.media("point_cloud", file, key=name, data={"points": len(points), **more})


def _with_faces(
    item: Item, key: str, points: list[Any], colors: list[Any], faces: list[Any], more: dict[str, Any]
) -> Record:
    files = {"vertices": _array(item, "vertices.npy", "f", points)}
    if colors:
        files["colors"] = _array(item, "colors.npy", "B", _whole(colors, "color"))
    files["faces"] = _array(item, "faces.npy", "i", _whole(faces, "face"))
    return item.media("mesh", *files.values(), key=key, data={"parts": [*files], **more})


def _rows(tensor: Tensor, number: int) -> list[Any]:
    """Rows of three of one mesh of a batch."""
    if not tensor.shape or tensor.shape[-1] != 3 or len(tensor.shape) not in (2, 3):
        raise ValueError(f"a part of shape {list(tensor.shape)} is not batch x rows x 3")
    count = tensor.shape[-2] * 3
    cells = tensor.numbers()[number * count : (number + 1) * count]
    return [*zip(cells[::3], cells[1::3], cells[2::3], strict=True)]


def _whole(rows: list[Any], what: str) -> list[Any]:
    whole = [[int(cell) for cell in row] for row in rows]
    if any(int(cell) != cell for row in rows for cell in row):
        raise ValueError(f"a {what} is no whole number")
    return whole


def _array(item: Item, path: str, code: str, rows: list[Any]) -> FileRef:
    width = len(rows[0]) if rows else 3
    try:
        content = struct.pack(f"<{len(rows) * width}{code}", *(cell for row in rows for cell in row))
    except struct.error as error:
        raise ValueError(f"{path}: {error}") from None
    return item.file(path, npy(code, (len(rows), width), content))


def graph(item: Item) -> Iterator[Record]:
    """A tensor of one serialized ``GraphDef``, as TensorFlow 2 writes it."""
    strings = item.tensor().strings
    if len(strings) != 1:
        raise ValueError("it has no graph")
    yield of_graph(item, strings[0], item.key)


def of_graph(item: Item, content: bytes, key: str) -> Record:
    """A serialized ``GraphDef``.

    Raises:
        ValueError: it is damaged.
    """
    nodes = sum(number == 1 for number, _, _ in fields(content))
    return item.media("graph", item.file("graph.pb", content), key=key, data={"nodes": nodes})
