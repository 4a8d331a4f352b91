"""Images, figures, video and audio."""

from __future__ import annotations

import struct
from typing import Any

from runcast import render
from runcast.backends.tensorboard.media.medium import Medium, rendered
from runcast.errors import Reject
from runcast.formats.tfevents import audio_value, image_value
from runcast.records import FileRef

_SHOWN = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM")
_NPY = b"\x93NUMPY"


def image(medium: Medium) -> None:
    """All images of the list in one value; those with masks or boxes once more, with these on them."""
    data, files = medium.record.data, medium.record.contents
    items = data.get("items") or [{} for _ in files]
    pictures = [_picture(medium, file) for file in files[: len(items)]]
    if not pictures:
        raise ValueError("it has no image")
    first = items[0]
    size = (int(first.get("width", 0)), int(first.get("height", 0)))
    medium.show(medium.tag, image_value(medium.tag, size, pictures))
    masks = [medium.keep(file) for file in files[len(items) :]]
    for number, item in enumerate(items):
        medium.words += _item(item, f"image {number + 1}: " if len(items) > 1 else "")
    medium.words += [f"mask: `{mask}`" for mask in masks]
    if any(map(render.has_marks, items)):
        _show_marked(medium, files, items)
    if data.get("columns") and len(items) > 1:
        paths = [medium.path(file) for file in files[: len(items)]]
        _show_beside(medium, "grid", [rendered(lambda: render.grid(paths, int(data["columns"])))])


def _show_marked(medium: Medium, files: list[FileRef], items: list[dict[str, Any]]) -> None:
    paths, drawn = [medium.path(file) for file in files], []
    for number, item in enumerate(items):
        if render.has_marks(item):
            try:
                drawn.append(render.marked(paths, number, item))
            except Reject as error:
                medium.degraded(f"masks and boxes cannot be drawn, and are kept with the run: {error}")
    if drawn:
        tag = _show_beside(medium, "marked", drawn)
        medium.degraded(f"masks and boxes are drawn onto a second image, {tag}")


def _show_beside(medium: Medium, name: str, pictures: list[bytes]) -> str:
    """Show PNGs of our own making under a tag below the value's; returns the tag."""
    tag = medium.name(f"{medium.record.key}/{name}")
    width, height = struct.unpack(">II", pictures[0][16:24])
    medium.show(tag, image_value(tag, (width, height), pictures))
    return tag


def _item(item: dict[str, object], head: str) -> list[str]:
    out = [f"{head}{item['caption']}"] if item.get("caption") else []
    boxes = item.get("boxes")
    if isinstance(boxes, dict):
        out += [f"{head}boxes `{name}`: {len(group.get('boxes', []))}" for name, group in boxes.items()]
    return out


def _picture(medium: Medium, file: FileRef) -> bytes:
    """A file as browsers show it; the original stays beside where it has to be turned."""
    path = medium.path(file)
    with path.open("rb") as opened:
        head = opened.read(12)
    if head.startswith(_SHOWN):
        return path.read_bytes()
    medium.keep(file)  # TensorBoard serves other kinds without their type
    return rendered(lambda: render.png(path))


def figure(medium: Medium) -> None:
    """A picture; what is interactive only as a file."""
    file = medium.content()
    if not file.path.endswith(".json"):
        data = medium.record.data
        size = (int(data.get("width") or 0), int(data.get("height") or 0))
        medium.show(medium.tag, image_value(medium.tag, size, [_picture(medium, file)]))
        return
    medium.words.append(f"interactive figure: `{medium.keep(file)}`")
    medium.degraded("TensorBoard shows no interactive figure; it is kept as a file in the run's folder")


def video(medium: Medium) -> None:
    """A GIF among the images; what is no GIF and no array only as a file."""
    file = medium.content()
    path = medium.path(file)
    with path.open("rb") as opened:
        head = opened.read(6)
    data = medium.record.data
    size = (int(data.get("width") or 0), int(data.get("height") or 0))
    if head.startswith(b"GIF8"):
        medium.show(medium.tag, image_value(medium.tag, size, [path.read_bytes()]))
        return
    place = medium.keep(file)
    if head.startswith(_NPY):
        fps = float(data.get("fps") or 4)
        moving = rendered(lambda: render.gif(path, fps))
        medium.show(medium.tag, image_value(medium.tag, size, [moving]))
        medium.degraded("shown as a GIF of 256 colours; every frame is kept as a file in the run's folder")
        return
    medium.words.append(f"video: `{place}`")
    medium.degraded("TensorBoard shows GIFs only; the video is kept as a file in the run's folder")


def audio(medium: Medium) -> None:
    """The file as it is; only of WAV does TensorBoard tell the browser what it is."""
    clip = medium.read(medium.content())
    wav = clip[:4] == b"RIFF" and clip[8:12] == b"WAVE"
    medium.show(medium.tag, audio_value(medium.tag, clip, wav))
    if not wav:
        medium.degraded("TensorBoard serves it without its type; whether it plays is up to the browser")
