"""What trackers show, from what scripts had: arrays as pictures and as counts.

Called by backends, on the courier's side. NumPy is imported when it is needed.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from runcast.codec import unpack
from runcast.errors import Reject
from runcast.records import Media


def _load(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise Reject(f"no array: {error}") from error


def png(path: Path) -> bytes:
    """A PNG of a ``.npy`` file of uint8, H×W, H×W×3 or H×W×4, or of any picture that Pillow reads.

    Raises:
        Reject: it holds something else.
    """
    from PIL import Image

    out = io.BytesIO()
    try:
        array = path.read_bytes()[:6] == b"\x93NUMPY"
        (Image.fromarray(_load(path)) if array else Image.open(path)).save(out, "PNG")
    except (OSError, TypeError, ValueError) as error:
        raise Reject(f"no picture: {error}") from error
    return out.getvalue()


def gif(path: Path, fps: float) -> bytes:
    """A GIF of a ``.npy`` file of uint8, T×H×W×3.

    Raises:
        Reject: it holds something else.
    """
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in _load(path)]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return out.getvalue()


def histogram(path: Path, bins: int) -> tuple[list[float], list[int]]:
    """Edges (n+1) and counts (n) of the finite numbers in a ``.npy`` file.

    Raises:
        Reject: it holds something else.
    """
    import numpy as np

    values = _load(path)
    counts, edges = np.histogram(values[np.isfinite(values)].astype(float), bins)
    return edges.tolist(), counts.tolist()


def table(path: Path) -> tuple[list[str], list[list[Any]]]:
    """A table's column names, and its rows of JSON-like cells.

    Raises:
        Reject: it is no table.
    """
    try:
        found = unpack(json.loads(path.read_bytes()))
        return found["columns"], found["data"]
    except (ValueError, LookupError, TypeError) as error:
        raise Reject(f"no table: {error}") from error


def svg(media: Media) -> str:
    """A drawing of an evaluation plot."""
    raise NotImplementedError(media.type)
