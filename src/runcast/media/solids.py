"""Things in space: files of a 3D editor, meshes, point clouds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, ClassVar

from runcast.media.arrays import numpy, to_array
from runcast.media.store import Store, as_path, suffix_of
from runcast.media.value import Draft, Unfit, Value

_SUFFIXES = (".obj", ".glb", ".gltf", ".stl", ".babylon")


class Object3D(Value):
    """A 3D file.

    Args:
        path: an ``.obj``, ``.glb``, ``.gltf``, ``.stl`` or ``.babylon`` file.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("path",)
    type: ClassVar[str] = "object3d"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.path = path

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        path = as_path(self.path)
        if path is None:
            raise Unfit("a 3D object is a file: give its path, or use runcast.Mesh or runcast.PointCloud")
        suffix = suffix_of(path, _SUFFIXES, "3D file")
        return Draft(self.type, {"format": suffix[1:]}, (store.file(f"object{suffix}", path),))


class PointCloud(Value):
    """Points in space.

    Args:
        points: N×3 (x, y, z), N×4 (and a category from 1 to 14) or N×6 (and red, green, blue from 0 to 255).
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("points",)
    type: ClassVar[str] = "point_cloud"

    def __init__(
        self, points: Any, *, caption: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.points = points

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        points = _floats(self.points, (3, 4, 6), "points", store)
        return Draft(self.type, {"points": points.shape[0]}, (store.array("points.npy", points),))


class Mesh(Value):
    """A surface of triangles.

    Args:
        vertices: N×3, x, y, z.
        faces: M×3, each three numbers of vertices; left out, the vertices are shown as points.
        colors: N×3, red, green, blue of each vertex: uint8, or floats in [0, 1].
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("colors", "faces", "vertices")
    type: ClassVar[str] = "mesh"

    def __init__(
        self,
        vertices: Any,
        faces: Any = None,
        colors: Any = None,
        *,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.vertices = vertices
        self.faces = faces
        self.colors = colors

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        vertices = _floats(self.vertices, (3,), "vertices", store)
        parts = {"vertices": vertices}
        for name, given, read in (("colors", self.colors, _colors), ("faces", self.faces, _faces)):
            if given is None:
                continue
            try:
                parts[name] = read(given, vertices.shape[0], store)
            except Unfit as error:
                store.report(f"the mesh's {name}: {error}")
        files = tuple(store.array(f"{name}.npy", array) for name, array in parts.items())
        return Draft(self.type, {"parts": list(parts)}, files)


def _floats(value: Any, widths: tuple[int, ...], what: str, store: Store) -> Any:
    """An N×width array of float32; rows that are not finite are left out and reported."""
    np = numpy()
    array = to_array(value, what)
    if array.ndim == 3 and array.shape[0] == 1:  # a batch of one, as TensorBoard takes it
        array = array[0]
    if array.ndim != 2 or array.shape[1] not in widths or not len(array):
        raise Unfit(f"{what} have the shape N×{' or N×'.join(map(str, widths))} with at least one row")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    finite = np.isfinite(array).all(axis=1)
    if finite.all():
        return array
    if what == "vertices":  # the faces count them, so none may go
        raise Unfit("vertices must be finite")
    if not finite.any():
        raise Unfit(f"no row of its {what} is finite")
    store.report(f"{what} that are not finite", f"{int((~finite).sum())} of {len(array)}")
    return array[finite]


def _colors(value: Any, count: int, store: Store) -> Any:
    from runcast.media.pixels import to_uint8

    array = to_array(value, "colors")
    array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if array.shape != (count, 3):
        raise Unfit("colors have the shape N×3, one row per vertex")
    return to_uint8(array, store)


def _faces(value: Any, count: int, store: Store) -> Any:
    np = numpy()
    array = to_array(value, "faces")
    array = array[0] if array.ndim == 3 and array.shape[0] == 1 else array
    if array.ndim != 2 or array.shape[1] != 3 or not len(array):
        raise Unfit("faces have the shape M×3, three numbers of vertices each")
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise Unfit("faces are whole numbers")
    if array.min() < 0 or array.max() >= count:
        raise Unfit("a face names a vertex that is not there: they count from 0")
    return array.astype(np.int32)
