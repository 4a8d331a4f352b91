"""Images with their captions, masks and boxes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runcast import render
from runcast.backends.wandb import spelling
from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject
from runcast.records import FileRef
from runcast.render.arrays import load
from runcast.render.png import encode

_LABELS = "{}_wandb_delimeter_{}"  # W&B's spelling
_NPY = b"\x93NUMPY"
_FORMATS = ((b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"))


def show(place: Place) -> dict[str, Any]:
    """One image as ``image-file``, several as ``images/separated``."""
    contents, items = place.record.contents, place.record.data["items"]
    if not items or len(items) > len(contents):
        raise Reject(f"{len(items)} images in {len(contents)} files")
    pictures = [_picture(place, contents, number, item) for number, item in enumerate(items)]
    if len(pictures) == 1:
        caption = items[0].get("caption", place.record.caption)
        return {**pictures[0], **({} if caption is None else {"caption": spelling.prose(caption)})}
    return _separated(place, pictures, [item.get("caption") for item in items])


def still(place: Place, file: FileRef, width: int | None = None, height: int | None = None) -> dict[str, Any]:
    """A picture as ``image-file``; size in pixels, read from a PNG where it is not known."""
    head = place.head(file)
    if head.startswith(_NPY):
        form, stored = "png", place.write("images", ".png", render.png(place.source(file)))
    else:
        form = next((form for magic, form in _FORMATS if head.startswith(magic)), "")
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            form = "webp"
        if not form:
            raise Reject(f"{file.path!r} is no PNG, JPEG, GIF, WebP or BMP")
        stored = place.copy("images", f".{form}", file)
    if form == "png" and not (width and height):
        size = (place.folder / "files" / stored["path"]).read_bytes()[16:24]
        width, height = int.from_bytes(size[:4], "big"), int.from_bytes(size[4:], "big")
    return {"_type": "image-file", **stored, "format": form, "width": width or 0, "height": height or 0}


def _picture(place: Place, contents: list[FileRef], number: int, item: dict[str, Any]) -> dict[str, Any]:
    value = still(place, contents[number], item.get("width"), item.get("height"))
    masks = {
        spelling.prose(name): _mask(place, contents, name, m) for name, m in item.get("masks", {}).items()
    }
    boxes = {
        spelling.prose(name): _boxes(place, name, group) for name, group in item.get("boxes", {}).items()
    }
    return {**value, **({"masks": masks} if masks else {}), **({"boxes": boxes} if boxes else {})}


def _separated(place: Place, pictures: list[dict[str, Any]], captions: list[str | None]) -> dict[str, Any]:
    first = pictures[0]
    value: dict[str, Any] = {
        "_type": "images/separated", "width": first["width"], "height": first["height"],
        "format": first["format"], "count": len(pictures),
        "filenames": [picture["path"] for picture in pictures],
    }  # fmt: skip
    if any(caption is not None for caption in captions):
        value["captions"] = [None if caption is None else spelling.prose(caption) for caption in captions]
    for kind in ("masks", "boxes"):
        if any(kind in picture for picture in pictures):
            value[f"all_{kind}"] = [picture.get(kind) for picture in pictures]
    if len({(picture["width"], picture["height"]) for picture in pictures}) > 1:
        place.lesser("W&B shows the images of a list in the size of the first")
    place.caption_aside()
    return value


def _mask(place: Place, contents: list[FileRef], name: str, mask: dict[str, Any]) -> dict[str, Any]:
    file = contents[mask["file"]]
    _label(place, "mask/class_labels", name, mask.get("classes"))
    stored = place.write("images/mask", ".mask.png", _grey(place, place.source(file), file))
    return {"_type": "mask", **stored}


def _grey(place: Place, source: Path, file: FileRef) -> bytes:
    if not place.head(file).startswith(_NPY):
        return source.read_bytes()
    classes = load(source, dims=(2,), dtypes=("uint8", "uint16"))
    if classes.size and classes.max() > 255:
        place.lesser("class numbers of a mask above 255: W&B's masks have 8 bits, this one has 16")
        return render.png(source)
    return encode(classes.astype("uint8"))


def _boxes(place: Place, name: str, group: dict[str, Any]) -> dict[str, Any]:
    labels = _label(place, "bounding_box/class_labels", name, group.get("classes"))
    content = {"box_data": [_box(box) for box in group["boxes"]], "class_labels": labels}
    stored = place.write("metadata/boxes2D", ".boxes2D.json", json.dumps(content).encode())
    return {"_type": "boxes2D", **stored}


def _box(box: dict[str, Any]) -> dict[str, Any]:
    spelled = {"position": box["position"], "class_id": box["class_id"]}
    if box.get("domain") == "pixel":  # a fraction is what W&B takes a box without a domain for
        spelled["domain"] = "pixel"
    if box.get("caption") is not None:
        spelled["box_caption"] = spelling.prose(box["caption"])
    return {**spelled, **({"scores": box["scores"]} if box.get("scores") else {})}


def _label(place: Place, kind: str, name: str, classes: dict[str, str] | None) -> dict[str, str]:
    labels = {str(number): spelling.prose(str(label)) for number, label in (classes or {}).items()}
    if labels:
        slot = _LABELS.format(place.key, spelling.prose(name))
        place.configure({kind: {slot: {"type": kind, "key": slot, "value": labels}}})
    return labels
