"""A canvas as a PNG, for trackers that show no SVG; drawn with Pillow and its own font."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from runcast.errors import Reject
from runcast.render.charts.canvas import Canvas, Line, Rect, Text
from runcast.render.pictures import pillow

_DRAWN, _SHOWN = 4, 2  # pixels for each of the canvas: drawn larger, so that edges are smooth
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}  # at the baseline, as in SVG


def to_png(canvas: Canvas) -> bytes:
    """The file.

    Raises:
        Reject: Pillow is missing, or was built without FreeType.
    """
    size = (math.ceil(canvas.width * _DRAWN), math.ceil(canvas.height * _DRAWN))
    image = pillow().new("RGB", size, "white")
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for shape in canvas.shapes:
        if isinstance(shape, Text):
            _text(image, draw, shape)
        elif isinstance(shape, Line):
            _line(draw, shape)
        elif isinstance(shape, Rect):
            corners = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
            draw.rectangle(_scaled(corners), fill=shape.fill, outline=shape.stroke or None, width=_DRAWN)
        else:
            ends = (
                shape.x - shape.radius,
                shape.y - shape.radius,
                shape.x + shape.radius,
                shape.y + shape.radius,
            )
            draw.ellipse(_scaled(ends), fill=shape.fill)
    out = io.BytesIO()
    image.reduce(_DRAWN // _SHOWN).save(out, "PNG")
    return out.getvalue()


def _scaled(numbers: Sequence[float]) -> list[float]:
    return [number * _DRAWN for number in numbers]


def _text(image: Any, draw: Any, shape: Text) -> None:
    text = "".join(c if c.isprintable() else "\ufffd" for c in shape.text)
    if not text:
        return
    x, y = _scaled((shape.x, shape.y))
    how = {
        "font": _font(shape.size * _DRAWN),
        "anchor": _ANCHORS[shape.anchor],
        "stroke_width": int(shape.bold),
    }
    if not shape.turn:
        draw.text((x, y), text, fill=shape.fill, **how)
        return
    from PIL import ImageDraw

    reach = math.ceil(draw.textlength(text, font=how["font"]) + shape.size * _DRAWN)
    stamp = pillow().new("L", (2 * reach, 2 * reach))  # turned about its middle, where the anchor is
    ImageDraw.Draw(stamp).text((reach, reach), text, fill=255, **how)
    turned = stamp.rotate(-shape.turn, pillow().Resampling.BICUBIC)
    image.paste(shape.fill, (round(x) - reach, round(y) - reach), turned)


def _font(size: float) -> Any:
    from PIL import ImageFont

    try:
        font = ImageFont.load_default(max(1.0, size))
    except (ImportError, OSError) as error:
        raise Reject(f"Pillow cannot write in a picture: {error}") from error
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise Reject("Pillow cannot write in a picture: it was built without FreeType")
    return font


def _line(draw: Any, shape: Line) -> None:
    width = max(1, round(shape.width * _DRAWN))
    points = [(x * _DRAWN, y * _DRAWN) for x, y in shape.points]
    if len(points) < 2:
        return
    pattern = [float(length) * _DRAWN for length in shape.dashes.split()]
    for part in _dashed(points, pattern) if pattern else [points]:
        draw.line(part, fill=shape.stroke, width=width, joint="curve")


def _dashed(
    points: Sequence[tuple[float, float]], pattern: Sequence[float]
) -> Iterator[list[tuple[float, float]]]:
    """The drawn pieces of a line; dashes and gaps go on around corners."""
    number, left = 0, pattern[0]
    piece = [points[0]]
    for start, end in pairwise(points):
        length, at = math.dist(start, end), 0.0
        while length - at > left:
            at += left
            share = at / length
            corner = (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
            if number % 2 == 0:
                yield [*piece, corner]
            number += 1
            piece, left = [corner], pattern[number % len(pattern)]
        left -= length - at
        piece.append(end)
    if number % 2 == 0 and len(piece) > 1:
        yield piece
