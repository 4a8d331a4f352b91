"""Small genuine content of each kind: files that other programs open, made without any of them."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runcast.records import Span

if TYPE_CHECKING:
    from runcast.testing.golden import Story

Files = list[tuple[str, bytes]]

ENVIRONMENT: dict[str, Any] = {
    "git": {"commit": "0123456789abcdef0123456789abcdef01234567", "branch": "main", "dirty": True},
    "command": ["train.py", "--lr", "0.1"],
    "python": "3.11.7",
    "packages": {"numpy": "2.0.0"},
    "os": "Linux 6.1",
    "seeds": {"python": 7},
}


def npy(shape: tuple[int, ...], kind: str, data: bytes) -> bytes:
    """NumPy's own file format, version 1.0; `kind` such as ``|u1`` or ``<f4``.

    Source: numpy.lib.format.
    """
    dimensions = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({dimensions}), }}"
    padding = " " * (-(len(header) + 11) % 64)
    text = (header + padding + "\n").encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def floats(shape: tuple[int, ...]) -> bytes:
    """A `.npy` of float32 that counts from 0."""
    count = 1
    for length in shape:
        count *= length
    return npy(shape, "<f4", struct.pack(f"<{count}f", *map(float, range(count))))


def png(width: int = 4, height: int = 3) -> bytes:
    """A grey picture. Source of the format: the PNG specification, section 5."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(range(row, row + width)) for row in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def wav(frames: int = 80, rate: int = 8000) -> bytes:
    """A rising tone, 16 bits, one channel. Source of the format: RIFF, WAVE form."""
    data = struct.pack(f"<{frames}h", *(number * 100 for number in range(frames)))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 28 + 8 + len(data))
        + b"WAVE"
        + form
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


def media() -> Iterator[tuple[str, str, Files, dict[str, Any]]]:
    """Key, type, files and data of one value of each type but text; see docs/media.md."""
    size = {"width": 4, "height": 3}
    picture = npy((3, 4, 3), "|u1", bytes(range(36)))
    yield "page", "html", [], {}
    yield (
        "sample",
        "image",
        [("0.npy", picture), ("1.png", png())],
        {"items": [size, {**size, "caption": "two"}]},
    )
    mask = {"truth": {"file": 1, "classes": {"1": "cat"}}}
    box = {
        "position": {"minX": 0, "maxX": 2, "minY": 0, "maxY": 1}, "domain": "pixel", "class_id": 1,
        "scores": {"p": 0.5},
    }  # fmt: skip
    boxes = {"found": {"boxes": [box], "classes": {"1": "cat"}}}
    masked = {"items": [{**size, "masks": mask, "boxes": boxes}]}
    yield "masked", "image", [("0.npy", picture), ("mask.npy", npy((3, 4), "|u1", bytes(12)))], masked
    yield "drawing", "figure", [("figure.png", png())], {"library": "matplotlib", **size}
    chart = json.dumps({"data": [{"type": "scatter", "x": [1], "y": [2]}], "layout": {}}).encode()
    yield "chart", "figure", [("figure.plotly.json", chart)], {"library": "plotly"}
    yield "tone", "audio", [("tone.wav", wav())], {"sample_rate": 8000, "channels": 1, "frames": 80}
    film = npy((2, 3, 4, 3), "|u1", bytes(range(72)))
    yield "film", "video", [("film.npy", film)], {"fps": 2, "frames": 2, **size}
    rows = json.dumps({"columns": ["a", "b"], "data": [[1, "x"], [2.5, None]]}).encode()
    yield "rows", "table", [("rows.table.json", rows)], {"rows": 2, "columns": 2}
    summed = {"num": 6, "min": 0.0, "max": 5.0, "sum": 15.0, "sum_squares": 55.0, "nonfinite": 0}
    yield "binned", "histogram", [], {"edges": [0.0, 2.5, 5.0], "counts": [3, 3], **summed}
    yield "values", "histogram", [("values.npy", floats((6,)))], {"bins": 4, **summed}
    yield "thing", "object3d", [("thing.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")], {"format": "obj"}
    yield "cloud", "point_cloud", [("cloud.npy", floats((5, 3)))], {"points": 5}
    faces = npy((1, 3), "<i4", struct.pack("<3i", 0, 1, 2))
    solid: Files = [("vertices.npy", floats((3, 3))), ("faces.npy", faces)]
    yield "solid", "mesh", solid, {"parts": ["vertices", "faces"]}
    space: Files = [("vectors.npy", floats((3, 2))), ("metadata.tsv", b"a\nb\nc\n")]
    yield "space", "embedding", space, {"parts": ["vectors", "metadata"], "rows": 3, "dims": 2}
    graph = b"\n\x0a\n\x01x\x12\x05Const"  # GraphDef{node{name: "x", op: "Const"}}
    yield "network", "graph", [("network.pb", graph)], {"nodes": 1}
    yield from _plots()


def _plots() -> Iterator[tuple[str, str, Files, dict[str, Any]]]:
    yield "confusion", "confusion_matrix", [], {"labels": ["cat", "dog"], "matrix": [[5, 1], [2, 7]]}
    roc = {
        "label": "dog",
        "fpr": [0.0, 0.5, 1.0],
        "tpr": [0.0, 1.0, 1.0],
        "thresholds": [None, 0.6, 0.1],
        "auc": 0.75,
    }
    yield "roc", "roc_curve", [], {"classes": [roc]}
    pr = {
        "label": "dog", "precision": [1.0, 0.5], "recall": [0.5, 1.0], "thresholds": [0.8, 0.2],
        "average_precision": 0.75, "tp": [1, 2], "fp": [0, 2], "tn": [2, 0], "fn": [1, 0],
    }  # fmt: skip
    yield "pr", "pr_curve", [], {"classes": [pr]}
    bins = {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "counts": [10, 10], "brier": 0.1}
    yield "calibrated", "calibration", [], bins
    yield "weights", "feature_importance", [], {"names": ["age", "income"], "values": [0.7, 0.3]}


def dataset() -> dict[str, Any]:
    """Fields of an `Input`: a small dataset."""
    return {
        "name": "digits", "type": "dataset", "context": "training", "digest": "ab" * 32, "version": "v1",
        "source": "https://example.org/digits.csv",
        "metadata": {
            "kind": "file", "schema": [{"name": "x", "type": "double", "required": True}],
            "profile": {"rows": 3}, "splits": {"train": 2},
        },
    }  # fmt: skip


def trace(start: int) -> dict[str, Any]:
    """Fields of a `Trace`: a chain with one call of a model in it."""
    outer = Span(
        id="aa" * 8, name="answer", type="chain", start=start, end=start + 3_000_000,
        inputs={"question": "why?"}, outputs={"answer": "because"},
    )  # fmt: skip
    inner = Span(
        id="bb" * 8, parent="aa" * 8, name="chat", type="llm", start=start + 1_000_000, end=start + 2_000_000,
        attributes={
            "gen_ai.request.model": "small", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 1,
        },
    )  # fmt: skip
    return {"id": "cd" * 16, "spans": [outer, inner], "tags": {"kind": "test"}, "session": "s1"}


def model(story: Story) -> dict[str, Any]:
    """Fields of a `Model`: a state dict without anything that has to be loaded."""
    files = [story.file("state_dict.safetensors", struct.pack("<Q", 2) + b"{}")]
    column = {"type": "double", "name": "x", "required": True}
    return {
        "name": "net", "flavor": "pytorch", "files": files, "digest": "ef" * 32, "step": 2,
        "signature": {"inputs": [column], "outputs": [{"type": "double", "required": True}]},
        "requirements": ["torch==2.13.0"], "metadata": {"epoch": 1},
        "data": {
            "file": "state_dict.safetensors", "format": "safetensors", "class": "net.Net",
            "versions": {"python": "3.11.7", "torch": "2.13.0"},
        },
    }  # fmt: skip
