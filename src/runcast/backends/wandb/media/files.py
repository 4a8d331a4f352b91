"""Values that are one file, which W&B's UI plays or shows: HTML, figures, audio, video, 3D objects."""

from __future__ import annotations

from typing import Any

from runcast import render
from runcast.backends.wandb.media.images import still
from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject

_AUDIO = ((b"RIFF", ".wav"), (b"OggS", ".ogg"), (b"fLaC", ".flac"), (b"ID3", ".mp3"), (b"\xff", ".mp3"))
_OBJECTS = ("obj", "glb", "gltf", "stl", "babylon")


def html(place: Place) -> dict[str, Any]:
    """``html-file``."""
    record = place.record
    if record.text is not None:
        stored = place.write("html", ".html", record.text.encode("utf-8", "backslashreplace"))
    else:
        stored = place.copy("html", ".html", record.contents[0])
    place.caption_aside()
    return {"_type": "html-file", **stored}


def figure(place: Place) -> dict[str, Any]:
    """Plotly as ``plotly-file``, anything else as the picture that it is."""
    [file] = place.record.contents
    if place.record.data.get("library") == "plotly":
        place.caption_aside()
        return {"_type": "plotly-file", **place.copy("plotly", ".plotly.json", file)}
    data = place.record.data
    return place.with_caption(still(place, file, data.get("width"), data.get("height")))


def audio(place: Place) -> dict[str, Any]:
    """``audio-file``."""
    [file] = place.record.contents
    head = place.head(file)
    extension = next((extension for magic, extension in _AUDIO if head.startswith(magic)), "")
    if not extension:
        raise Reject(f"{file.path!r} is no WAV, MP3, Ogg or FLAC")
    return place.with_caption({"_type": "audio-file", **place.copy("audio", extension, file)})


def video(place: Place) -> dict[str, Any]:
    """``video-file``; frames become a GIF."""
    [file] = place.record.contents
    head = place.head(file)
    if head.startswith(b"\x93NUMPY"):
        content = render.gif(place.source(file), float(place.record.data.get("fps") or 0))
        stored = place.write("videos", ".gif", content)
        place.lesser("frames became a GIF of at most 256 colours, in steps of 1/100 s")
    else:
        known = {b"GIF8": ".gif", b"\x1a\x45\xdf\xa3": ".webm"}
        extension = ".mp4" if head[4:8] == b"ftyp" else known.get(head[:4], "")
        if not extension:
            raise Reject(f"{file.path!r} is no MP4, WebM or GIF")
        stored = place.copy("videos", extension, file)
    return place.with_caption({"_type": "video-file", **stored})


def object3d(place: Place) -> dict[str, Any]:
    """``object3D-file``, as it is."""
    [file] = place.record.contents
    form = str(place.record.data.get("format") or file.path.rpartition(".")[2]).lower()
    if form not in _OBJECTS:
        raise Reject(f"W&B shows no 3D object of format {form!r}")
    return place.with_caption({"_type": "object3D-file", **place.copy("object3D", f".{form}", file)})
