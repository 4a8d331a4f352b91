"""Images: one or several, with captions, masks and boxes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from runcast.media.arrays import EXTRA, is_tensor, numpy, to_array
from runcast.media.figure import Figure, figure_of
from runcast.media.marks import read_boxes, read_masks
from runcast.media.pixels import Layout, channels_last, to_uint8
from runcast.media.store import Store, as_path
from runcast.media.value import FIGURE, PICTURE, Draft, Unfit, Value, known
from runcast.normalize import step as whole_number
from runcast.normalize.problem import look
from runcast.records import FileRef

_KEPT = {"PNG": ".png", "JPEG": ".jpg", "GIF": ".gif", "WEBP": ".webp", "BMP": ".bmp"}
_MOST = 1000  # pictures in one value: each is a file
_PLAIN_MODES = ("L", "RGB", "RGBA")


class Image(Value):
    """A picture, or several that belong together.

    Args:
        image: H×W, H×W×C or C×H×W array or tensor (C of 1, 3 or 4); N of them as one array of four axes; PIL
            image; path or bytes of a picture; matplotlib figure; or a list of these. Pixels are bool, uint8,
            uint16, whole numbers from 0 to 255, or floats in [0, 1]. A plotly figure is logged as `Figure`.
        caption: shown beside it; for several pictures a list of texts, or one for all.
        layout: ``"HWC"`` or ``"CHW"``; needed only where both ends have 1, 3 or 4 elements, which counts as
            CHW in a tensor and as HWC in any other array.
        masks: name → H×W array of class numbers, or ``{"mask": array, "classes": {1: "cat"}}``.
        boxes: name → list of boxes, or ``{"boxes": [...], "classes": {...}}``. A box is
            ``{"position": {"minX": , "maxX": , "minY": , "maxY": }, "class_id": , "caption": , "scores": {},
            "domain": "pixel" or "fraction"}``; W&B's form is taken too.
        columns: show several as a grid with so many in a row, too: MLflow and TensorBoard get it as one more
            picture, ``<name>/grid``; W&B arranges them by itself.
        metadata: anything JSON-like.
    """

    __slots__ = ("boxes", "columns", "image", "layout", "masks")
    type: ClassVar[str] = "image"

    def __init__(
        self,
        image: Any,
        *,
        caption: str | Sequence[str] | None = None,
        layout: Layout | None = None,
        masks: Mapping[str, Any] | None = None,
        boxes: Mapping[str, Any] | None = None,
        columns: int | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(metadata=metadata)
        self.caption: Any = caption
        self.image = image
        self.layout = layout
        self.masks = masks
        self.boxes = boxes
        self.columns = columns

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        if figure_of(self.image) == "plotly":
            return Figure(self.image).draft(store)
        images = self._several()
        if not images:
            raise Unfit("an empty list has no picture: leave it out")
        if len(images) > _MOST:
            store.report(f"pictures beyond the first {_MOST} of one value", f"{len(images)} in all")
            images = images[:_MOST]
        if (self.masks or self.boxes) and images[0][0] is not self:
            store.report(
                "masks and boxes of several pictures: give each picture its own, in a list of Images"
            )
        files: list[FileRef] = []
        items: list[dict[str, Any]] = []
        for number, (one, caption) in enumerate(images):
            try:
                file, width, height = _read(one.image, one.layout, f"{number}", store)
            except Unfit as error:
                if len(images) == 1:
                    raise
                store.report(f"one of its pictures: {error}", f"number {number}: {look(one.image)}")
                continue
            files.append(file)
            item: dict[str, Any] = {"width": width, "height": height}
            items.append(item | ({"caption": store.text(caption)} if caption is not None else {}))
            item = items[-1]
            item["_image"] = one
        if not files:
            raise Unfit("none of its pictures can be read")
        for item in items:
            one = item.pop("_image")
            _mark(one, item, files, store)
        data: dict[str, Any] = {"items": items}
        if self.columns is not None:
            columns = whole_number(self.columns)
            if isinstance(columns, int) and columns > 0:
                data["columns"] = columns
            else:
                store.report("columns: give how many pictures stand in a row", look(self.columns))
        return Draft(self.type, data, tuple(files))

    def _several(self) -> list[tuple[Image, str | None]]:
        """Each picture alone, with its caption."""
        parts: list[Any] | None = None
        listing = isinstance(self.image, (list, tuple)) and not _is_numbers(self.image)
        if listing or len(getattr(self.image, "shape", ())) == 4:
            parts = list(self.image)
        if parts is None:
            caption = self.caption[0] if isinstance(self.caption, (list, tuple)) else self.caption
            return [(self, caption)]
        listed = list(self.caption) if isinstance(self.caption, (list, tuple)) else []
        found: list[tuple[Image, str | None]] = []
        for number, part in enumerate(parts):
            one = part if isinstance(part, Image) else Image(part, layout=self.layout)
            own = one.caption if isinstance(one.caption, str) else None
            found += [
                (inner, listed[number] if number < len(listed) else text or own)
                for inner, text in one._several()
            ]
        return found


def _is_numbers(value: Any) -> bool:
    """Whether nested lists are the pixels of one picture."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (bool, int, float)) or getattr(value, "shape", None) == ()


def _mark(image: Image, item: dict[str, Any], files: list[FileRef], store: Store) -> None:
    if image.masks:
        item["masks"] = read_masks(image.masks, (item["height"], item["width"]), files, store)
    if image.boxes:
        item["boxes"] = read_boxes(image.boxes, store)
    for name in ("masks", "boxes"):
        if not item.get(name, True):
            del item[name]


def _read(image: Any, layout: Layout | None, name: str, store: Store) -> tuple[FileRef, int, int]:
    """(file, width, height) of one picture.

    Raises:
        Unfit: it is none.
    """
    if known(image) == PICTURE:
        return _pixels(_of_pillow(image), False, None, name, store)
    if figure_of(image) == FIGURE:
        data, width, height = Figure(image).png()
        return store.data(f"{name}.png", data), width, height
    if figure_of(image):
        raise Unfit("a plotly figure cannot stand in a list of pictures: log it as runcast.Figure")
    if isinstance(image, (bytes, bytearray, memoryview)):
        return _encoded(bytes(image), None, name, store)
    if isinstance(image, Value):
        raise Unfit(f"{type(image).__name__} is no picture: log it under a name of its own")
    path = as_path(image)
    if path is not None:
        return _encoded(None, path, name, store)
    array = to_array(image, "pixels: H×W, H×W×C or C×H×W")
    return _pixels(array, is_tensor(image), layout, name, store)


def _pixels(
    array: Any, first: bool, layout: Layout | None, name: str, store: Store
) -> tuple[FileRef, int, int]:
    if array.ndim not in (2, 3):
        raise Unfit(f"an array of {array.ndim} axes is no picture: give H×W, H×W×C or C×H×W")
    if array.size == 0:
        raise Unfit("an empty array is no picture: leave it out")
    if array.ndim == 3:
        array = channels_last(array, first, layout)
        array = array[:, :, 0] if array.shape[2] == 1 else array
    array = to_uint8(array, store)
    return store.array(f"{name}.npy", array), int(array.shape[1]), int(array.shape[0])


def _of_pillow(image: Any) -> Any:
    """Pixels of a PIL image: those with a palette, CMYK and the like as RGB or RGBA."""
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in _PLAIN_MODES and not image.mode.startswith(("I", "F")):
        clear = "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
    return to_array(numpy().asarray(image))


def _encoded(data: bytes | None, path: Path | None, name: str, store: Store) -> tuple[FileRef, int, int]:
    """A picture in a file's form stays as it is where browsers show that form."""
    try:
        from PIL import Image as pillow
    except ModuleNotFoundError as error:
        raise Unfit(f"Pillow is needed to read a picture from a file: {EXTRA}") from error
    if path is not None and not path.is_file():
        raise Unfit(f"there is no file {look(str(path))}: give the path of a picture, or its pixels")
    try:
        with pillow.open(path if path is not None else io.BytesIO(data or b"")) as picture:
            width, height = picture.size
            suffix = _KEPT.get(picture.format or "")
            pixels = None if suffix else _of_pillow(picture)
    except Unfit:
        raise
    except Exception as error:  # Pillow's plugins raise whatever they like on damaged files
        what = look(str(path)) if path is not None else f"{len(data or b'')} bytes"
        raise Unfit(f"{what} is no picture that Pillow reads: give PNG, JPEG, GIF, WebP or BMP") from error
    if pixels is not None:
        return _pixels(pixels, False, "HWC", name, store)
    file = (
        store.file(f"{name}{suffix}", path)
        if path is not None
        else store.data(f"{name}{suffix}", data or b"")
    )
    return file, width, height
