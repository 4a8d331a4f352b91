"""Arrays of numbers as W&B shows them: histograms, point clouds, meshes, embeddings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from runcast import render
from runcast.backends.wandb.media import tables
from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject
from runcast.records import FileRef
from runcast.render.arrays import load

MOST_BINS = 512
"""As W&B's client allows."""
DEFAULT_BINS = 64
MOST_CELLS = 5_000_000
"""Numbers of an embedding above which only its first rows become a table; JSON takes some 20 bytes each."""


def histogram(place: Place) -> dict[str, Any]:
    """``histogram``: counts and edges, in the row itself."""
    data = place.record.data
    edges: list[float]
    counts: list[float] | list[int]
    if place.record.contents:
        bins = min(int(data.get("bins") or DEFAULT_BINS), MOST_BINS)
        edges, counts = render.histogram(place.source(place.record.contents[0]), bins)
    else:
        edges, counts = data["edges"], data["counts"]
        if len(edges) != len(counts) + 1:
            raise Reject(f"{len(edges)} edges of {len(counts)} bins")
        if len(counts) > MOST_BINS:
            place.lesser(f"{len(counts)} bins joined: W&B shows at most {MOST_BINS}")
            edges, counts = _joined(edges, counts)
    place.caption_aside()
    return {"_type": "histogram", "values": counts, "bins": edges}


def _joined(edges: list[float], counts: Sequence[float]) -> tuple[list[float], list[float]]:
    width = -(-len(counts) // MOST_BINS)
    starts = range(0, len(counts), width)
    return [*(edges[i] for i in starts), edges[-1]], [sum(counts[i : i + width]) for i in starts]


def points(place: Place) -> dict[str, Any]:
    """A point cloud as ``object3D-file``, a JSON list of points."""
    [file] = place.record.contents
    cloud = load(place.source(file), dims=(2,), dtypes=("float32",))
    if cloud.shape[1] not in (3, 4, 6):
        raise Reject(f"points of {cloud.shape[1]} numbers")
    return place.with_caption(_cloud(place, cloud))


def _cloud(place: Place, cloud: Any) -> dict[str, Any]:
    import numpy as np

    finite = np.isfinite(cloud).all(axis=1)
    if not finite.all():
        place.lesser(f"{int((~finite).sum())} points that are not finite were left out")
        cloud = cloud[finite]
    content = json.dumps(cloud.tolist(), separators=(",", ":")).encode()
    return {"_type": "object3D-file", **place.write("object3D", ".pts.json", content)}


def mesh(place: Place) -> dict[str, Any]:
    """A mesh as an OBJ file; one without faces as the point cloud that it is."""
    import numpy as np

    parts = _parts(place)
    vertices = load(place.source(parts["vertices"]), dims=(2,), dtypes=("float32",))
    colors = load(place.source(parts["colors"]), dims=(2,), dtypes=("uint8",)) if "colors" in parts else None
    if colors is not None:
        if colors.shape != vertices.shape:
            raise Reject(f"{len(colors)} colors of {len(vertices)} vertices")
        vertices = np.hstack([vertices, colors.astype(np.float32) / (255 if "faces" in parts else 1)])
    if "faces" not in parts:
        place.lesser("a mesh without faces became a point cloud")
        return place.with_caption(_cloud(place, vertices))
    faces = load(place.source(parts["faces"]), dims=(2,), dtypes=("int32",))
    if faces.shape[1] != 3 or (faces.size and not 0 <= faces.min() <= faces.max() < len(vertices)):
        raise Reject("a face names a vertex that is not there")
    lines = ["v " + " ".join(map(repr, vertex)) for vertex in vertices.tolist()]
    lines += ["f " + " ".join(str(index + 1) for index in face) for face in faces.tolist()]
    place.lesser(
        "a mesh became an OBJ file" + (", its colors behind the vertices" if "colors" in parts else "")
    )
    content = ("\n".join(lines) + "\n").encode()
    return place.with_caption({"_type": "object3D-file", **place.write("object3D", ".obj", content)})


def embedding(place: Place) -> dict[str, Any]:
    """A table with a column per dimension, D1 to Dn, which W&B's 2D projection panel takes."""
    parts = _parts(place)
    vectors = load(place.source(parts["vectors"]), dims=(2,), dtypes=("float32",))
    rows, dims = vectors.shape
    most = max(1, MOST_CELLS // max(dims, 1))
    names, labels = _metadata(place, parts.get("metadata"), rows)
    if rows > most:
        place.lesser(f"the table has {most} of {rows} rows; all are in files/{place.keep(parts['vectors'])}")
    if "sprite" in parts:
        place.lesser(f"the pictures of the points are in files/{place.keep(parts['sprite'])}", "spilled")
    place.lesser("an embedding became a table; W&B's 2D projection panel shows its columns D1 to Dn")
    place.caption_aside()
    taken = set(names)
    columns = [*names, *(_free(f"D{i + 1}", taken) for i in range(dims))]
    table = [[*label, *row] for label, row in zip(labels, vectors[:most].tolist(), strict=False)]
    return tables.value(place, columns, table)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _metadata(place: Place, file: FileRef | None, rows: int) -> tuple[list[str], list[list[str]]]:
    if file is None:
        return [], [[] for _ in range(rows)]
    lines = place.source(file).read_text("utf-8", "replace").splitlines()
    cells = [line.split("\t") for line in lines]
    if cells and len(cells[0]) > 1:  # only then is there a header line
        names, cells = cells[0], cells[1:]
    else:
        names = ["label"]
    if len(cells) != rows or any(len(row) != len(names) for row in cells):
        raise Reject(f"metadata of {len(cells)} rows for {rows} vectors, or rows of another length")
    return names, cells


def _parts(place: Place) -> dict[str, FileRef]:
    return dict(zip(place.record.data["parts"], place.record.contents, strict=True))
