"""Images in MLflow's image grid: the files that ``MlflowClient.log_image`` writes, under names of our choice.

``images/<key>+step+<step>+timestamp+<ms>+<uuid>.png``, and beside it ``...+compressed.webp``, a thumbnail.
MLflow draws the uuid by chance; ours is a digest of the record, so that one that comes twice is there
once. The images of a list are the keys ``<key>/0``, ``<key>/1``, ..., and where the script wants a grid, all
of them as one in ``<key>/grid``. An image with masks or boxes is there
a second time with these drawn onto it, as ``<key>/marked`` (``<key>/marked/0``). Masks, and pictures that are
no PNG, stand as they were in ``media/image/``.
"""

from __future__ import annotations

import hashlib
import io
import uuid
from pathlib import Path
from typing import Any

from runcast import render
from runcast.backends.mlflow import names
from runcast.backends.mlflow.files import Content, Files
from runcast.backends.mlflow.plan import Plan
from runcast.errors import Reject
from runcast.records import FileRef, Media

LOGGED = "mlflow.loggedImages"
_THUMBNAIL = 256
"""Longest side in pixels, as MLflow's own."""
_PNG = b"\x89PNG\r\n\x1a\n"


def parts(plan: Plan, record: Media, files: Files, run_id: str) -> tuple[dict[str, Content], dict[str, Any]]:
    """The files of an image or a list of images, and what its line says of them.

    Raises:
        Reject: there is no picture in it.
    """
    what = f"media {record.key!r} at step {record.step}"
    sources = [(file, files.content(what, file)) for file in record.contents]
    items = record.data.get("items")
    count = len(items) if isinstance(items, list) and items else len(sources)
    if not sources or count > len(sources):
        raise Reject(f"{what} has fewer files than images")
    made: dict[str, Content] = {}
    refs = []
    for number, (file, source) in enumerate(sources):
        if number < count:
            place = _picture(made, record, run_id, f"/{number}" if count > 1 else "", source, what)
        else:
            place = _original(record, file, number)
            made[place] = source
        if number < count and not isinstance(made[place], Path) and not _is_array(file):
            refs.append(_ref(file, _original(record, file, number)))
            made[_original(record, file, number)] = source
        else:
            refs.append(_ref(file, place))
    if count > 1 and record.data.get("columns"):
        whole = render.grid([source for _, source in sources[:count]], int(record.data["columns"]))
        _picture(made, record, run_id, "/grid", whole, what)
    plan.tags[LOGGED] = "True"
    _report(plan, record, _add_marked(made, record, run_id, [source for _, source in sources], what))
    return made, {"path": next(iter(made)), "files": refs, "data": record.data}


def _add_marked(
    made: dict[str, Content], record: Media, run_id: str, sources: list[Path], what: str
) -> str | None:
    """Add each picture that has masks or boxes with these on it; returns what of them MLflow does not show,
    None where there are none."""
    items = record.data.get("items") or []
    shown = None
    for number, item in enumerate(items):
        if not render.has_marks(item):
            continue
        shown = shown or ""
        try:
            marked = render.marked(sources, number, item)
        except Reject as error:
            shown = f"masks and boxes cannot be drawn, and are kept beside it: {error}"
            continue
        part = f"/marked/{number}" if len(items) > 1 else "/marked"
        _picture(made, record, run_id, part, marked, what)
    return shown


def _picture(
    made: dict[str, Content], record: Media, run_id: str, part: str, source: Content, what: str
) -> str:
    """Add one picture and its thumbnail to `made`; returns the picture's place."""
    content = source
    if isinstance(source, Path):
        with source.open("rb") as file:
            start = file.read(8)
        if start.startswith(b"\x93NUMPY"):
            content = render.png(source)
        elif start != _PNG:
            content = _as_png(source, what)
    key = names.image_key(f"{record.key}{part}")
    digest = "".join(file.sha256 for file in record.contents)
    identity = f"{run_id}\0{record.key}\0{record.step}\0{record.time}\0{part}\0{digest}"
    unique = uuid.UUID(hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    milliseconds = max(0, record.time // 1_000_000)
    name = f"{key.replace('/', '~')}+step+{record.step}+timestamp+{milliseconds}+{unique}"
    made[f"images/{name}.png"] = content
    made[f"images/{name}+compressed.webp"] = _thumbnail(content, what)
    return f"images/{name}.png"


def _open(content: Content, what: str) -> Any:
    try:
        from PIL import Image  # MLflow brings it along, mlflow-skinny does not
    except ImportError:
        raise Reject(f"{what}: thumbnails need Pillow: pip install 'runcast[media]'") from None
    try:
        return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise Reject(f"{what}: the picture cannot be read ({error})") from None


def _as_png(source: Path, what: str) -> bytes:
    return _saved(_open(source, what), what, "PNG")


def _thumbnail(content: Content, what: str) -> bytes:
    picture = _open(content, what)
    picture.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return _saved(picture, what, "WEBP")


def _saved(picture: Any, what: str, form: str) -> bytes:
    out = io.BytesIO()
    try:
        if picture.mode not in ("L", "RGB", "RGBA"):
            picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
        picture.save(out, form)
    except (OSError, ValueError) as error:
        raise Reject(f"{what}: the picture cannot be read ({error})") from None
    return out.getvalue()


def _is_array(file: FileRef) -> bool:
    return file.path.endswith(".npy")


def _original(record: Media, file: FileRef, number: int) -> str:
    key = names.artifact_path(names.image_key(record.key))
    suffix = Path(names.artifact_path(file.path)).suffix
    return f"media/image/{key}/{record.step}-{file.sha256[:8]}-{number}{suffix}"


def _ref(file: FileRef, place: str) -> dict[str, Any]:
    return {"path": file.path, "as": place, "sha256": file.sha256, "size": file.size}


def _report(plan: Plan, record: Media, marks: str | None) -> None:
    """Args: marks: what of masks and boxes is not shown, None where there are none."""
    native = names.image_key(record.key)
    if native != record.key:
        plan.change("renamed", record.key, native)
    lesser = []
    if record.caption or any("caption" in item for item in record.data.get("items") or ()):
        lesser.append("MLflow shows images without captions: they are kept beside them")
    if marks is not None:
        lesser.append(marks or f"masks and boxes are drawn onto a second image, {native}/marked")
    if lesser:
        plan.change("degraded", record.key, "; ".join(lesser))
