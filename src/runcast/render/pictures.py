"""Pictures and animations out of blobs."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcast.errors import Reject
from runcast.render.arrays import EXTRA, MOST_BYTES, is_npy, load
from runcast.render.png import encode

_GAP = 2  # white pixels between the pictures of a grid
_PNG = b"\x89PNG\r\n\x1a\n"


def png(path: Path) -> bytes:
    """A picture or a mask as PNG.

    Args:
        path: ``.npy`` of uint8 or uint16, H×W, H×W×3 or H×W×4; a PNG, which comes back as it is; or any other
            picture that Pillow reads, of which the first frame is taken.

    Raises:
        Reject: it is none of these, or Pillow is needed and missing.
    """
    if is_npy(path):
        try:
            return encode(load(path, dims=(2, 3), dtypes=("uint8", "uint16")))
        except ValueError as error:
            raise Reject(str(error)) from error
    data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    return data if data.startswith(_PNG) else encode(_decoded(path))


def grid(paths: Sequence[Path], columns: int | None = None) -> bytes:
    """Several pictures side by side on white, as one PNG; none is scaled.

    Args:
        paths: pictures as `png` takes them.
        columns: how many in a row; near the root of their number where left out.

    Raises:
        Reject: as of `png`; there is no picture; or the grid would be over 1 GiB.
    """
    import numpy as np

    if not paths:
        raise Reject("a grid needs at least one picture")
    pictures = [rgba(path) for path in paths]
    across = max(1, min(columns or math.ceil(math.sqrt(len(pictures))), len(pictures)))
    down = math.ceil(len(pictures) / across)
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    size = (down * (height + _GAP) - _GAP, across * (width + _GAP) - _GAP, 4)
    if math.prod(size) > MOST_BYTES:
        raise Reject(f"a grid of {size[1]}×{size[0]} pixels is over 1 GiB")
    canvas = np.full(size, 255, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // across * (height + _GAP), number % across * (width + _GAP)
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    opaque = bool((canvas[:, :, 3] == 255).all())
    return encode(canvas[:, :, :3] if opaque else canvas)


def gif(path: Path, fps: float) -> bytes:
    """Frames as an animation that repeats for ever.

    Args:
        path: ``.npy`` of uint8, T×H×W×3; or a GIF, which comes back as it is.
        fps: frames per second; a GIF counts in 1/100 s, and viewers show at most 50 a second.

    Raises:
        Reject: it is neither, or Pillow is missing.
    """
    with path.open("rb") as file:
        if file.read(4) == b"GIF8":
            return path.read_bytes()
    frames = load(path, dims=(4,), dtypes=("uint8",))
    if frames.shape[3] != 3 or 0 in frames.shape:
        raise Reject(f"an array of shape {frames.shape} is no video: T×H×W×3")
    image = pillow()
    milliseconds = 10 * min(max(2, round(100 / fps)), 0xFFFF) if math.isfinite(fps) and fps > 0 else 100
    first, *others = [image.fromarray(frame) for frame in frames]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0)
    return out.getvalue()


def rgba(path: Path) -> Any:
    """Pixels of any picture, H×W×4 of uint8.

    Raises:
        Reject: it is none.
    """
    import numpy as np

    pixels = load(path, dims=(2, 3), dtypes=("uint8",)) if is_npy(path) else _decoded(path)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 3:
        pixels = np.concatenate([pixels, np.full_like(pixels[:, :, :1], 255)], axis=2)
    if pixels.shape[2] != 4 or 0 in pixels.shape:
        raise Reject(f"an array of shape {pixels.shape} is no picture")
    return pixels


def _decoded(path: Path) -> Any:
    """Pixels of an encoded picture, H×W×3 or H×W×4."""
    import numpy as np

    image = pillow()
    try:
        with image.open(path) as picture:
            clear = "A" in picture.getbands() or "transparency" in picture.info
            return np.asarray(picture.convert("RGBA" if clear else "RGB"))
    except Exception as error:  # Pillow's plugins raise whatever they like on damaged files
        raise Reject(f"{path.name[:16]} is no picture that Pillow reads: {error}") from error


def pillow() -> Any:
    """``PIL.Image``.

    Raises:
        Reject: it is not installed.
    """
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise Reject(f"Pillow is needed for this picture: {EXTRA}") from error
    return Image
