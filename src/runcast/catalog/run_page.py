"""One run as one HTML file that needs nothing else: its numbers, and its media where a browser shows them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runcast import render
from runcast.catalog.compare import compare
from runcast.catalog.model import MediaInfo, RunInfo
from runcast.catalog.page import document, sections
from runcast.catalog.svg import escape
from runcast.catalog.texts import shorten, value
from runcast.errors import Reject
from runcast.journal import Blobs
from runcast.journal.layout import Layout
from runcast.records import FileRef, Media

_LARGEST = 16 << 20  # bytes of one file in the page
_ROWS, _COLUMNS, _LETTERS = 50, 20, 5000
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"BM": "image/bmp"}
_SOUNDS = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".flac": "audio/flac"}
_FILMS = {".mp4": "video/mp4", ".webm": "video/webm"}
_CHARTS = frozenset(
    ("histogram", "confusion_matrix", "roc_curve", "pr_curve", "calibration", "feature_importance")
)


def page(info: RunInfo) -> str:
    """The page: curves, last values, params, then the last value of each medium; all text is escaped."""
    numbers = sections(compare([info], dir=info.home))
    return document(info.name or info.id, info.experiment, [*numbers, *_media(info)], media=True)


def _media(info: RunInfo) -> Iterator[str]:
    last: dict[str, tuple[int, MediaInfo]] = {}
    for medium in info.media():
        last[medium.key] = (last.get(medium.key, (0, medium))[0] + 1, medium)
    if last:
        yield '<h2>Media</h2><div class="values">'
    blobs = Blobs(Layout(info.home).blobs)
    for key, (count, medium) in last.items():
        about = f"{medium.type}, step {medium.step}" + (f", the last of {count}" if count > 1 else "")
        caption = f"<p>{escape(medium.caption)}</p>" if medium.caption else ""
        yield f"<figure><figcaption>{escape(key)} <small>{escape(about)}</small></figcaption>{caption}"
        try:
            yield _content(medium, blobs)
        except (Reject, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            files = ", ".join(str(blobs.path(digest)) for digest in _digests(medium))
            yield f"<p>not shown: {escape(str(error))}{escape(f'; files: {files}' if files else '')}</p>"
        yield "</figure>"
    if last:
        yield "</div>"


def _content(medium: MediaInfo, blobs: Blobs) -> str:
    paths = [blobs.path(digest) for digest in _digests(medium)]
    if medium.text is not None:
        return f"<pre>{escape(shorten(medium.text, _LETTERS))}</pre>"
    if medium.type in _CHARTS:
        return _chart(medium, paths)
    if not paths:
        raise Reject("it has no file")
    suffix = Path(_files(medium)[0].path).suffix
    if medium.type == "image":
        return _images(medium.data["items"], paths)
    if medium.type == "table":
        return _table(*render.table(paths[0]))
    if medium.type == "audio" and suffix in _SOUNDS:
        return f'<audio controls src="{_uri(_read(paths[0]), _SOUNDS[suffix])}"></audio>'
    if medium.type == "video" and suffix in _FILMS:
        return f'<video controls src="{_uri(_read(paths[0]), _FILMS[suffix])}"></video>'
    if medium.type == "video":
        return _image(render.gif(paths[0], float(medium.data.get("fps") or 4)))
    if medium.type == "figure" and suffix != ".json":
        return _image(_read(paths[0]))
    if medium.type in ("text", "html"):
        return f"<pre>{escape(shorten(_read(paths[0]).decode('utf-8', 'replace'), _LETTERS))}</pre>"
    raise Reject("a page without scripts shows no such thing")


def _chart(medium: MediaInfo, paths: list[Path]) -> str:
    data = dict(medium.data)
    if paths:
        edges, counts = render.histogram(paths[0], int(data.get("bins") or 64))
        data |= {"edges": list(edges), "counts": list(counts)}
    record = Media(time=0, key=medium.key, step=medium.step, type=medium.type, data=data)
    return render.svg(record)


def _images(items: list[dict[str, Any]], paths: list[Path]) -> str:
    shown = []
    for number, item in enumerate(items):
        picture = render.marked(paths, number, item) if render.has_marks(item) else _picture(paths[number])
        caption = f"<small>{escape(str(item['caption']))}</small>" if item.get("caption") else ""
        shown.append(f"<div>{_image(picture)}{caption}</div>")
    return f'<div class="row">{"".join(shown)}</div>'


def _picture(path: Path) -> bytes:
    data = _read(path)
    return data if any(data.startswith(magic) for magic in _MAGIC) else render.png(path)


def _image(data: bytes) -> str:
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), None)
    if kind is None:
        raise Reject("it is no picture that every browser shows")
    return f'<img alt="" src="{_uri(data, kind)}">'


def _table(columns: list[Any], rows: list[list[Any]]) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns[:_COLUMNS])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shorten(value(cell), 200))}</td>" for cell in row[:_COLUMNS]) + "</tr>"
        for row in rows[:_ROWS]
    )
    more = f"<p>{len(rows)} rows and {len(columns)} columns in all</p>"
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{more}'
    )


def _files(medium: MediaInfo) -> list[FileRef]:
    return [medium.file, *medium.files] if medium.file is not None else list(medium.files)


def _digests(medium: MediaInfo) -> list[str]:
    return [file.sha256 for file in _files(medium) if file.sha256]


def _read(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST:
        raise Reject(f"{path.stat().st_size >> 20} MiB are too much for a page")
    return path.read_bytes()


def _uri(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
