"""Embeddings, which TensorBoard keeps in files beside the events (``projector_config.pbtxt``)."""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runcast.formats.tfevents import Value
from runcast.journal import Blobs
from runcast.records import FileRef, Record
from runcast.sources.tensorboard.item import Item, npy
from runcast.sources.tensorboard.losses import Losses, passes

CONFIG = "projector_config.pbtxt"
_TOKEN = re.compile(r"""\s+|\#[^\n]*|[-+.\w]+|[{}:,;<>]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)", re.DOTALL)
_STEP = re.compile(r"(.*):(\d+)\Z", re.DOTALL)


def embeddings(folder: Path, logdir: Path, time: int, blobs: Blobs, losses: Losses) -> Iterator[Record]:
    """Every embedding that a run's configuration names; none has a time, so all get `time`."""
    try:
        text = (folder / CONFIG).read_text("utf-8", "replace")
    except FileNotFoundError:
        return
    except OSError as error:
        losses.add(CONFIG, f"it cannot be read: {error.strerror}")
        return
    try:
        blocks = [block for name, block in _parse(text) if name == "embeddings" and isinstance(block, list)]
    except ValueError as error:
        losses.add(CONFIG, f"it is damaged: {error}")
        return
    for block in blocks:
        said: dict[str, Any] = dict(block)
        name = str(said.get("tensor_name", ""))
        try:
            yield _embedding(said, folder, logdir, time, blobs)
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and passes(error):
                raise
            losses.add(name, f"the embedding cannot be read: {error}")


def _embedding(said: dict[str, Any], folder: Path, logdir: Path, time: int, blobs: Blobs) -> Record:
    match = _STEP.match(str(said.get("tensor_name", "")))
    key, step = (match[1], int(match[2][:18])) if match else (str(said.get("tensor_name", "")), 0)
    item = Item(time, step, Value(key, "none", b""), "projector", b"", blobs)
    if not said.get("tensor_path"):
        raise ValueError("its vectors are in a checkpoint of TensorFlow's")
    path = _inside(folder, str(said["tensor_path"]), logdir)
    rows, dims, content = _vectors(path, said)
    files: dict[str, FileRef] = {"vectors": item.file("vectors.npy", npy("f", (rows, dims), content))}
    data: dict[str, Any] = {"rows": rows, "dims": dims}
    if said.get("metadata_path"):
        files["metadata"] = _file(_inside(folder, str(said["metadata_path"]), logdir), "metadata.tsv", blobs)
    sprite = said.get("sprite")
    if isinstance(sprite, list) and (place := dict(sprite).get("image_path")):
        files["sprite"] = _file(_inside(folder, str(place), logdir), "sprite.png", blobs)
        data["sprite"] = [int(str(value)) for name, value in sprite if name == "single_image_dim"]
    return item.media("embedding", *files.values(), data={"parts": [*files], **data})


def _inside(folder: Path, path: str, logdir: Path) -> Path:
    """A path of the configuration; a stranger's must not lead to files that are none of TensorBoard's."""
    whole = (folder / path).resolve()
    if not whole.is_relative_to(logdir):
        raise ValueError(f"{path} leads out of the logdir")
    return whole


def _file(path: Path, name: str, blobs: Blobs) -> FileRef:
    sha256, size = blobs.put_file(path)
    return FileRef(name, sha256, size)


def _vectors(path: Path, said: dict[str, Any]) -> tuple[int, int, bytes]:
    """Rows, dimensions, and little-endian float32: of lines of numbers, or of raw float32 (``.bytes``)."""
    if path.suffix == ".bytes":
        content = path.read_bytes()
        dims = int(str(said.get("tensor_shape", 0)))  # of a repeated field the last one stays: the columns
        if dims <= 0 or len(content) % (4 * dims):
            raise ValueError("its shape does not fit its size")
        return len(content) // (4 * dims), dims, content
    cells, rows, dims = array("f"), 0, 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                numbers = [float(cell) for cell in line.split("\t")]
                if rows and len(numbers) != dims:
                    raise ValueError(f"line {rows + 1} of {path.name} has {len(numbers)} numbers, not {dims}")
                rows, dims = rows + 1, len(numbers)
                cells.extend(numbers)
    return rows, dims, struct.pack(f"<{len(cells)}f", *cells)


def _parse(text: str) -> list[tuple[str, Any]]:
    """Protobuf's text format as far as the configuration uses it: names with texts, numbers or blocks."""
    tokens = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{text[at : at + 10]!r} is not expected")
        at = match.end()
        if match.group().strip() and not match.group().startswith("#"):
            tokens.append(match.group())
    tokens.reverse()
    return _block(tokens, 0)


def _block(tokens: list[str], depth: int) -> list[tuple[str, Any]]:
    out: list[tuple[str, Any]] = []
    while tokens:
        name = tokens.pop()
        if name == "}" and depth:
            return out
        mark = tokens.pop() if tokens else ""
        if mark == ":" and tokens and tokens[-1] == "{":
            mark = tokens.pop()
        if mark == "{" and depth < 5:
            out.append((name, _block(tokens, depth + 1)))
        elif mark == ":" and tokens:
            out.append((name, _plain(tokens.pop())))
        else:
            raise ValueError(f"{mark!r} behind {name!r} is not expected")
    if depth:
        raise ValueError("a block does not end")
    return out


def _plain(token: str) -> str:
    """A number or a word as it is, a text without its quotes and escapes."""
    if token[0] not in "\"'":
        return token
    return _ESCAPE.sub(_escaped, token[1:-1].encode()).decode("utf-8", "replace")


def _escaped(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1] in b"01234567":
        return bytes([int(code, 8) & 0xFF])
    if code[:1] == b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    return {b"n": b"\n", b"t": b"\t", b"r": b"\r"}.get(code, code)
