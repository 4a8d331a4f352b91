"""From the arrays that a script had to the form that a tracker shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def png(path: Path) -> bytes:
    """A PNG of an ``.npy`` of uint8, H×W, H×W×3 or H×W×4."""
    out = io.BytesIO()
    Image.fromarray(np.load(path, allow_pickle=False)).save(out, "PNG")
    return out.getvalue()


def gif(path: Path, fps: float) -> bytes:
    """An animated GIF of an ``.npy`` of uint8, T×H×W×3."""
    frames = [Image.fromarray(frame) for frame in np.load(path, allow_pickle=False)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=1000 / fps, loop=0)
    return out.getvalue()


def histogram(path: Path, bins: int) -> tuple[list[float], list[int]]:
    """Edges and counts of an ``.npy`` of values."""
    values = np.load(path, allow_pickle=False)
    counts, edges = np.histogram(values[np.isfinite(values)], bins)
    return [float(edge) for edge in edges], [int(count) for count in counts]
