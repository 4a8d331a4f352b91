"""Meshes, point clouds, 3D objects and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcast.backends.tensorboard.media.medium import Medium
from runcast.formats.tfevents import MeshPart, mesh_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PARTS = {
    "vertices": (MeshPart.VERTEX, "<f4"),
    "colors": (MeshPart.COLOR, "u1"),
    "faces": (MeshPart.FACE, "<i4"),
}
# One colour for each category from 1 to 14; of others the last. Paul Tol's and ColorBrewer's mixed by eye.
_CATEGORIES = bytes.fromhex(
    "332288117733999933ddcc7788ccee44aa99cc6677aa4499882255e6194b4363d8f58231911eb4808080"
)


def mesh(medium: Medium) -> None:
    """Vertices, and colours and faces where there are any."""
    files = medium.record.contents
    names = medium.record.data.get("parts") or ["vertices"]
    if len(names) != len(files):
        raise ValueError(f"{len(files)} files for the parts {names}")
    arrays = {name: _rows(medium.path(file), 3) for name, file in zip(names, files, strict=True)}
    _show(medium, {name: rows.astype(_PARTS[name][1]) for name, rows in arrays.items()})
    for file in files:
        medium.keep(file)


def point_cloud(medium: Medium) -> None:
    """Points, in the colours or by the categories that they came with."""
    import numpy as np

    file = medium.content()
    rows = _rows(medium.path(file))
    parts: dict[str, NDArray[Any]] = {"vertices": rows[:, :3].astype("<f4")}
    if rows.shape[1] == 4:
        palette = np.frombuffer(_CATEGORIES, "u1").reshape(-1, 3)
        parts["colors"] = palette[np.clip(rows[:, 3].astype(int) - 1, 0, len(palette) - 1)]
    elif rows.shape[1] == 6:
        parts["colors"] = np.clip(rows[:, 3:], 0, 255).astype("u1")
    _show(medium, parts)
    medium.keep(file)


def object3d(medium: Medium) -> None:
    """Wavefront's text form as a mesh; others only as a file."""
    import numpy as np

    file = medium.content()
    path = medium.path(file)
    place = medium.keep(file)
    if not file.path.lower().endswith(".obj"):
        medium.words.append(f"3D object: `{place}`")
        medium.degraded("TensorBoard shows .obj only; the object is kept as a file in the run's folder")
        return
    vertices, faces = wavefront(path.read_text("utf-8", "replace"))
    parts: dict[str, NDArray[Any]] = {"vertices": np.array(vertices, "<f4").reshape(-1, 3)}
    if faces:
        parts["faces"] = np.array(faces, "<i4").reshape(-1, 3)
    _show(medium, parts)
    medium.degraded("shown without materials and textures; the object is kept as a file in the run's folder")


def wavefront(text: str) -> tuple[list[list[float]], list[list[int]]]:
    """Vertices and triangles of an ``.obj`` file; faces of more corners are cut into triangles."""
    vertices: list[list[float]] = []
    faces: list[list[int]] = []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            vertices.append([float(number) for number in rest[:3]])
        elif word == "f":
            numbers = [int(corner.split("/")[0]) for corner in rest]
            corners = [n - 1 if n > 0 else len(vertices) + n for n in numbers]
            faces += [[corners[0], *corners[i : i + 2]] for i in range(1, len(corners) - 1)]
    return vertices, faces


def _rows(path: Path, width: int | None = None) -> NDArray[np.generic]:
    import numpy as np

    rows: NDArray[Any] = np.load(path, allow_pickle=False)
    if rows.ndim != 2 or (rows.shape[1] not in (3, 4, 6) if width is None else rows.shape[1] != width):
        raise ValueError(f"an array of shape {rows.shape} is no list of points")
    return rows


def _show(medium: Medium, parts: Mapping[str, NDArray[Any]]) -> None:
    count = len(parts["vertices"])
    if not count:
        raise ValueError("it has no vertex")
    faces = parts.get("faces")
    if faces is not None and len(faces) and not (faces.min() >= 0 and faces.max() < count):
        raise ValueError("a face names a vertex that is not there")
    filled = {_PARTS[name][0]: rows.tobytes() for name, rows in parts.items() if len(rows)}
    medium.show(medium.tag, *mesh_values(medium.tag, filled))


def graph(medium: Medium) -> None:
    """The graph as it is, under the one name that TensorBoard has for graphs."""
    medium.graph = medium.read(medium.content())
    if medium.record.caption is not None:
        medium.degraded("TensorBoard shows a graph without its caption; the event has it")
