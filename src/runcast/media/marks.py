"""Masks and boxes on an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from runcast.media.arrays import numpy, to_array
from runcast.media.store import Store
from runcast.media.value import Unfit
from runcast.normalize.metrics import to_number
from runcast.normalize.problem import look, text_of
from runcast.records import FileRef

_ENDS = ("minX", "maxX", "minY", "maxY")


def read_masks(
    masks: Any, size: tuple[int, int], files: list[FileRef], store: Store
) -> dict[str, dict[str, Any]]:
    """Each mask as a file behind the others; one that cannot be kept is reported.

    Args:
        masks: see `runcast.Image`.
        size: (height, width) of the image.
        files: the record's files, which grow.
        store: where they go.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, mask in _items(masks, "masks", store):
        try:
            array = _mask(mask, size)
        except Unfit as error:
            store.report(f"mask {look(name)}: {error}", look(mask))
            continue
        files.append(store.array(f"mask-{len(files)}.npy", array))
        found[store.text(name)] = {"file": len(files) - 1, "classes": _classes(mask, store)}
    return found


def _mask(mask: Any, size: tuple[int, int]) -> Any:
    np = numpy()
    if isinstance(mask, Mapping):
        mask = next((mask[key] for key in ("mask", "mask_data", "data") if key in mask), None)
    array = to_array(mask, "an H×W array of class numbers")
    array = array.reshape([n for n in array.shape if n != 1]) if array.ndim == 3 else array
    if array.shape != size:
        raise Unfit(f"its shape {array.shape} is not the image's height and width {size}")
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise Unfit("class numbers are whole numbers, not fractions or NaN")
    low, high = array.min(), array.max()
    if low < 0 or high > 65535:
        raise Unfit("class numbers go from 0 to 65535")
    return array.astype(np.uint8 if high <= 255 else np.uint16)


def read_boxes(boxes: Any, store: Store) -> dict[str, dict[str, Any]]:
    """Each set of boxes in the form of ``docs/media.md``; a box that cannot be kept is reported."""
    found: dict[str, dict[str, Any]] = {}
    for name, group in _items(boxes, "boxes", store):
        listed = group
        if isinstance(group, Mapping):
            listed = next((group[key] for key in ("boxes", "box_data") if key in group), None)
        if not isinstance(listed, (list, tuple)):
            store.report(f"boxes {look(name)}: give a list of boxes", look(group))
            continue
        kept = []
        for box in listed:
            try:
                kept.append(_box(box, store))
            except (Unfit, TypeError, ValueError, KeyError, AttributeError) as error:
                store.report(
                    f"a box of {look(name)}: give position (minX, maxX, minY, maxY) as numbers and class_id",
                    f"{look(box)}: {error}",
                )
        found[store.text(name)] = {"boxes": kept, "classes": _classes(group, store)}
    return found


def _box(box: Any, store: Store) -> dict[str, Any]:
    place = box["position"]
    if "middle" in place:  # W&B's other form
        (x, y), wide, tall = map(_number, place["middle"]), _number(place["width"]), _number(place["height"])
        ends = [x - wide / 2, x + wide / 2, y - tall / 2, y + tall / 2]
    else:
        ends = [_number(place[end]) for end in _ENDS]
    out: dict[str, Any] = {
        "position": dict(zip(_ENDS, ends, strict=True)),
        "domain": "pixel" if box.get("domain") == "pixel" else "fraction",
        "class_id": int(_number(box.get("class_id", 0))),
    }
    caption = box.get("caption", box.get("box_caption"))
    if caption is not None:
        out["caption"] = store.text(caption)
    if box.get("scores"):
        out["scores"] = {store.text(name): _number(score) for name, score in box["scores"].items()}
    return out


def _number(value: Any) -> float:
    number, reason = to_number(value)
    if number is None or not math.isfinite(number):
        raise Unfit(reason or "it is not finite")
    return number


def _classes(group: Any, store: Store) -> dict[str, str]:
    if not isinstance(group, Mapping):
        return {}
    classes = next((group[key] for key in ("classes", "class_labels") if key in group), None)
    if isinstance(classes, (list, tuple)):
        classes = dict(enumerate(classes))
    if not isinstance(classes, Mapping):
        return {}
    return {text_of(number): store.text(label) for number, label in classes.items()}


def _items(mapping: Any, what: str, store: Store) -> list[tuple[str, Any]]:
    if not isinstance(mapping, Mapping):
        store.report(f"its {what}: give a mapping of names to {what}", look(mapping))
        return []
    return [(text_of(name), value) for name, value in mapping.items()]
