"""Images, GIFs that move, and audio."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterator, Sequence
from typing import Any

from runcast.formats.tfevents import parse_audio, parse_image
from runcast.records import FileRef, Record
from runcast.sources.tensorboard.item import Item

_KINDS = ((b"\x89PNG\r\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_SOUNDS = ((b"RIFF", "wav"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"), (b"OggS", "ogg"), (b"fLaC", "flac"))
_MOVES = b"NETSCAPE2.0"


def image(item: Item) -> Iterator[Record]:
    """``Summary.Image``."""
    found = parse_image(item.message)
    yield from _images(item, found.width, found.height, [found.content])


def images(item: Item) -> Iterator[Record]:
    """A tensor of width, height and whole files."""
    strings = item.tensor().strings
    if len(strings) < 3:
        raise ValueError("it has no image")
    yield from _images(item, int(strings[0] or b"0"), int(strings[1] or b"0"), strings[2:])


def _images(item: Item, width: int, height: int, contents: Sequence[bytes]) -> Iterator[Record]:
    if not any(contents):
        raise ValueError("it has no image; torch writes such a value where moviepy is missing")
    kinds = [_kind(content, _KINDS) for content in contents]
    if not all(kinds):
        for content in contents:
            yield item.artifact("image.bin", content, width=width, height=height)
        return
    if kinds == ["gif"] and _MOVES in contents[0][:1024]:
        size = {"width": width, "height": height}
        yield item.media("video", item.file("video.gif", contents[0]), data=_fps(contents[0]) | size)
        return
    files = [item.file(f"image{n or ''}.{kinds[n]}", content) for n, content in enumerate(contents)]
    yield item.media("image", *files, data={"items": [{"width": width, "height": height} for _ in files]})


def _kind(content: bytes, kinds: Sequence[tuple[bytes, str]]) -> str:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for magic, kind in kinds if content.startswith(magic)), "")


def _fps(gif: bytes) -> dict[str, Any]:
    """Frames a second, from the delay before the second frame (in 1/100 s)."""
    at = gif.find(b"\x21\xf9\x04")
    delay = struct.unpack_from("<H", gif, at + 4)[0] if 0 <= at < len(gif) - 6 else 0
    return {"fps": 100 / delay} if delay else {}


def audio(item: Item) -> Iterator[Record]:
    """``Summary.Audio``."""
    found = parse_audio(item.message)
    data = {"sample_rate": found.sample_rate, "channels": found.channels, "frames": found.frames}
    known = {name: int(number) for name, number in data.items() if number > 0}
    yield item.media("audio", _clip(item, found.content, found.mime), data=known)


def clips(item: Item) -> Iterator[Record]:
    """A tensor of files, each perhaps with a label; from the second on they get a number."""
    tensor = item.tensor()
    strings = tensor.strings
    labelled = len(tensor.shape) == 2 and tensor.shape[1] == 2
    pairs = zip(strings[::2], strings[1::2], strict=True) if labelled else ((one, b"") for one in strings)
    for number, (content, label) in enumerate(pairs):
        key = f"{item.key}/{number}" if number else item.key
        caption = label.decode("utf-8", "replace") or None
        yield item.media("audio", _clip(item, content, ""), key=key, caption=caption, data=_wav(content))


def _clip(item: Item, content: bytes, mime: str) -> FileRef:
    if not content:
        raise ValueError("it has no sound")
    suffix = _kind(content, _SOUNDS) or mime.partition("/")[2].removeprefix("x-") or "bin"
    return item.file(f"audio.{suffix if suffix.isalnum() else 'bin'}", content)


def _wav(content: bytes) -> dict[str, int]:
    try:
        with wave.open(io.BytesIO(content)) as file:
            rate, channels, frames = file.getframerate(), file.getnchannels(), file.getnframes()
    except (wave.Error, EOFError, struct.error):  # no WAV, or one that the standard library does not read
        return {}
    return {"sample_rate": rate, "channels": channels, "frames": frames}
