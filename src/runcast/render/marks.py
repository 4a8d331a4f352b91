"""Masks and boxes drawn onto their picture, for trackers that cannot lay them over it themselves."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runcast.errors import Reject
from runcast.render.arrays import is_npy, load
from runcast.render.pictures import pillow, rgba

_SMALLEST, _LARGEST = 256, 1024  # longest side of a panel in pixels: labels must be legible, files small
_LINE = 16  # height of a line of text
_GAP = 6
_MOST_PANELS = 8
_MOST_LINES = 20
_OPACITY = 0.5
_TURN = 0.618034  # of the colour circle, from one class to the next: neighbours differ clearly

_Marks = Mapping[str, Mapping[str, Any]]


def has_marks(item: Mapping[str, Any]) -> bool:
    """Whether an entry of ``items`` says that there are masks or boxes."""
    return bool(item.get("masks") or item.get("boxes"))


def marked(files: Sequence[Path], number: int, item: Mapping[str, Any]) -> bytes:
    """One panel for each name under which a picture has a mask or boxes, side by side, as PNG.

    A mask colours its pixels by class, and leaves class 0 clear, as most masks have the background there;
    a legend names the classes. Boxes have their class's colour, and their caption or class and scores.

    Args:
        files: those of the record, pictures and masks.
        number: which of them is the picture.
        item: the picture's entry in ``items``, see ``docs/media.md``.

    Raises:
        Reject: the picture or a mask cannot be read, or Pillow is missing.
    """
    try:
        return _drawn(files, files[number], item.get("masks") or {}, item.get("boxes") or {})
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Reject(f"masks and boxes of another form than docs/media.md says: {error!r}") from error


def _drawn(files: Sequence[Path], path: Path, masks: _Marks, boxes: _Marks) -> bytes:
    names = [*dict.fromkeys([*masks, *boxes])]
    if not names:
        raise Reject("there is no mask and no box on it")
    picture = _on_white(path)
    longest = max(picture.shape[:2])
    scale = min(max(1.0, _SMALLEST / longest), _LARGEST / longest)
    small = _scaled(picture, scale)
    panels = []
    for name in names[:_MOST_PANELS]:
        pixels, legend = small, dict[str, str]()
        if name in masks:
            mask = _mask(files[masks[name]["file"]], picture.shape[:2], name)
            pixels, legend = _painted(small, mask, masks[name].get("classes") or {})
        panel = pillow().fromarray(pixels)
        if name in boxes:
            _draw_boxes(panel, boxes[name], picture.shape[:2])
        panels.append(_titled(panel, name, legend))
    return _joined(panels)


def _on_white(path: Path) -> Any:
    """H×W×3 of uint8."""
    import numpy as np

    pixels = rgba(path)
    if (pixels[:, :, 3] == 255).all():
        return np.ascontiguousarray(pixels[:, :, :3])
    wide = pixels.astype(np.uint16)
    alpha = wide[:, :, 3:]
    return ((wide[:, :, :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def _scaled(picture: Any, scale: float) -> Any:
    import numpy as np

    if scale == 1:
        return picture
    height, width = (max(1, round(size * scale)) for size in picture.shape[:2])
    way = pillow().Resampling.NEAREST if scale > 1 else pillow().Resampling.BOX
    return np.asarray(pillow().fromarray(picture).resize((width, height), way))


def _mask(path: Path, shape: tuple[int, int], name: str) -> Any:
    mask = load(path, dims=(2,), dtypes=("uint8", "uint16")) if is_npy(path) else _class_numbers(path)
    if mask.shape != shape:
        raise Reject(f"mask {name!r} has the shape {mask.shape}, the picture {shape}")
    return mask


def _painted(panel: Any, mask: Any, classes: Mapping[str, str]) -> tuple[Any, dict[str, str]]:
    """A panel with a mask over it, and the legend: class number → name, of those that occur."""
    import numpy as np

    found = [int(number) for number in np.unique(mask) if number]
    colours = np.zeros((max(found, default=0) + 1, 3))
    for number in found:
        colours[number] = _colour(number)
    rows, columns = (np.arange(size) * of // size for size, of in zip(panel.shape, mask.shape, strict=False))
    near = mask[np.ix_(rows, columns)]
    over = panel * (1 - _OPACITY) + colours[near] * _OPACITY
    out = np.where((near != 0)[:, :, None], over, panel).astype(np.uint8)
    return out, {str(number): str(classes.get(str(number), number)) for number in found}


def _class_numbers(path: Path) -> Any:
    """A mask in the form of a picture: grey values, or the palette's numbers, are the classes."""
    import numpy as np

    try:
        with pillow().open(path) as picture:
            numbers = np.asarray(picture)
    except Exception as error:  # Pillow's plugins raise whatever they like on damaged files
        raise Reject(f"{path.name[:16]} is no mask that Pillow reads: {error}") from error
    numbers = numbers[:, :, 0] if numbers.ndim == 3 else numbers
    return np.clip(numbers, 0, 0xFFFF).astype(np.uint16)


def _draw_boxes(panel: Any, group: Mapping[str, Any], shape: tuple[int, int]) -> None:
    from PIL import ImageDraw

    draw, classes = ImageDraw.Draw(panel), group.get("classes") or {}
    for box in group.get("boxes") or []:
        place = box["position"]
        height, width = shape if box.get("domain") == "pixel" else (1, 1)
        left, right = sorted(_within(place[end] / width, panel.width) for end in ("minX", "maxX"))
        top, bottom = sorted(_within(place[end] / height, panel.height) for end in ("minY", "maxY"))
        colour = _colour(int(box.get("class_id") or 0))
        draw.rectangle((left, top, right, bottom), outline=colour, width=2)
        text = _plain(_label(box, classes))
        if text:
            at = (left, max(0, top - _LINE))
            draw.rectangle((*at, left + draw.textlength(text, font=_font()) + 4, at[1] + _LINE), fill=colour)
            draw.text((left + 2, at[1] + 1), text, fill=_readable(colour), font=_font())


def _within(fraction: float, size: int) -> float:
    return min(max(fraction * size, 0), size - 1)


def _label(box: Mapping[str, Any], classes: Mapping[str, str]) -> str:
    if box.get("caption"):
        return str(box["caption"])
    number = str(box.get("class_id", ""))
    scores = [f"{name} {score:.3g}" for name, score in (box.get("scores") or {}).items()]
    return " ".join([str(classes.get(number, number)), *scores])


def _titled(panel: Any, name: str, legend: Mapping[str, str]) -> Any:
    """The panel below its name and above its legend."""
    from PIL import ImageDraw

    lines = list(legend.items())[:_MOST_LINES]
    canvas = pillow().new("RGB", (panel.width, panel.height + _LINE * (len(lines) + 1)), "white")
    canvas.paste(panel, (0, _LINE))
    draw = ImageDraw.Draw(canvas)
    draw.text((2, 1), _plain(name), fill="black", font=_font())
    for row, (number, label) in enumerate(lines):
        top = panel.height + _LINE * (row + 1)
        draw.rectangle((2, top + 3, 12, top + 13), fill=_colour(int(number)))
        draw.text((18, top + 1), _plain(label), fill="black", font=_font())
    return canvas


def _joined(panels: list[Any]) -> bytes:
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) - 1)
    canvas = pillow().new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        canvas.paste(panel, (left, 0))
        left += panel.width + _GAP
    out = io.BytesIO()
    canvas.save(out, "PNG")
    return out.getvalue()


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number * _TURN % 1, 0.85, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _readable(colour: tuple[int, int, int]) -> str:
    """Black or white, whichever is read better on the colour (ITU-R BT.601 luma)."""
    red, green, blue = colour
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white"


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default()


def _plain(text: str) -> str:
    """A label in one line, in what Pillow's own font can write."""
    return "".join(c if c.isprintable() and ord(c) < 0x250 else "?" for c in text[:60])
