"""Media records with small contents, and the same values as W&B's own client takes them."""

from __future__ import annotations

import io
import json
import struct
import wave
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from wandb_delivery import START, Delivery

from runcast.records import Media

PIXELS = np.arange(8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
CLASSES = np.tile(np.arange(3, dtype=np.uint8), 32)[:80].reshape(8, 10)
LABELS = {"0": "nothing", "1": "cat", "2": "dog"}
CLOUD = np.array([[0, 0, 0, 1], [1, 2, 3, 14]], dtype=np.float32)
OBJECT = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def npy(array: Any) -> bytes:
    """The array as a file."""
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def png() -> bytes:
    """`PIXELS`, made without the library that reads it back."""
    height, width, _ = PIXELS.shape
    rows = b"".join(b"\0" + row.tobytes() for row in PIXELS)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = [struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def wav() -> bytes:
    """A tenth of a second of silence."""
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(1600))
    return out.getvalue()


class Values:
    """Makes records whose contents are among a delivery's blobs."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._seq = 100

    def __call__(
        self, key: str, step: int, type: str, /, *contents: tuple[str, bytes], **fields: Any
    ) -> Media:
        """A value; contents are pairs of a name and the bytes."""
        first, *others = [self._delivery.blob(name, content) for name, content in contents] or [None]
        self._seq += 1
        return Media(
            time=START, writer="ab" * 8, seq=self._seq, key=key, step=step, type=type, file=first,
            files=[file for file in others if file], **fields,
        )  # fmt: skip

    def each(self) -> list[Media]:
        """One of each type whose form W&B's client has too, in the order of `log_by_wandb`."""
        box = {
            "position": {"minX": 1, "maxX": 3, "minY": 2, "maxY": 4}, "domain": "pixel", "class_id": 1,
            "caption": "x", "scores": {"s": 0.5},
        }  # fmt: skip
        size = {"width": 10, "height": 8}
        marked = {
            **size, "masks": {"pred": {"file": 1, "classes": LABELS}},
            "boxes": {"truth": {"boxes": [box], "classes": {"1": "cat"}}},
        }  # fmt: skip
        mask = ("m.npy", npy(CLASSES))
        table = {"columns": ["n", "text", "mixed"], "data": [[1, "x", None], [2, "y", {"$float": "nan"}]]}
        pairs = [{**size, "caption": "a"}, {**size, "caption": "b"}]
        curve = {"label": "a", "fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "thresholds": [None, 0.5], "auc": 0.5}
        return [
            self("image", 0, "image", ("0.npy", npy(PIXELS)), data={"items": [{**size, "caption": "c"}]}),
            self("list", 1, "image", ("0.png", png()), ("1.npy", npy(PIXELS + 1)), data={"items": pairs}),
            self("val/marked", 2, "image", ("0.npy", npy(PIXELS)), mask, data={"items": [marked]}),
            self("html", 3, "html", text="<b>hi</b>"),
            self("audio", 4, "audio", ("a.wav", wav()), caption="beep"),
            self("video", 5, "video", ("a.gif", gif()), caption="moves"),
            self("table", 6, "table", ("t.table.json", json.dumps(table).encode())),
            self("hist", 7, "histogram", data={"edges": [0.0, 1.0, 2.0], "counts": [3, 4]}),
            self("cloud", 8, "point_cloud", ("c.npy", npy(CLOUD))),
            self("object", 9, "object3d", ("o.obj", OBJECT), data={"format": "obj"}, caption="o"),
            self("cm", 10, "confusion_matrix", data={"labels": ["a", "b"], "matrix": [[1, 0], [1, 1]]}),
            self("roc", 11, "roc_curve", data={"classes": [curve]}),
            self("imp", 12, "feature_importance", data={"names": ["f", "g"], "values": [0.75, 0.25]}),
        ]  # fmt: skip


def gif() -> bytes:
    """One frame."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(PIXELS).save(out, "GIF")
    return out.getvalue()


def log_by_wandb(folder: Path) -> Path:
    """W&B's own client logs the same values, offline; gives the log that it wrote."""
    import wandb

    quiet = wandb.Settings(
        silent=True, console="off", x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
        disable_git=True, disable_code=True,
    )  # fmt: skip
    (folder / "sounds").mkdir(parents=True)
    files = {"a.wav": wav(), "a.gif": gif(), "o.obj": OBJECT}
    for name, content in files.items():
        (folder / "sounds" / name).write_bytes(content)
    place = folder / "sounds"
    box = {
        "position": {"minX": 1, "maxX": 3, "minY": 2, "maxY": 4}, "domain": "pixel", "class_id": 1,
        "box_caption": "x", "scores": {"s": 0.5},
    }  # fmt: skip
    numbered = {int(number): label for number, label in LABELS.items()}
    run = wandb.init(project="digits", mode="offline", dir=folder, settings=quiet, reinit="create_new")
    try:
        run.log({"image": wandb.Image(PIXELS, caption="c")})
        run.log({"list": [wandb.Image(PIXELS, caption="a"), wandb.Image(PIXELS + 1, caption="b")]})
        masks = {"pred": {"mask_data": CLASSES, "class_labels": numbered}}
        boxes = {"truth": {"box_data": [box], "class_labels": {1: "cat"}}}
        run.log({"val/marked": wandb.Image(PIXELS, masks=masks, boxes=boxes)})
        run.log({"html": wandb.Html("<b>hi</b>", inject=False)})
        run.log({"audio": wandb.Audio(str(place / "a.wav"), caption="beep")})
        run.log({"video": wandb.Video(str(place / "a.gif"), caption="moves", format="gif")})
        rows = [[1, "x", None], [2, "y", float("nan")]]
        run.log({"table": wandb.Table(columns=["n", "text", "mixed"], data=rows)})
        run.log({"hist": wandb.Histogram(np_histogram=([3, 4], [0.0, 1.0, 2.0]))})
        run.log({"cloud": wandb.Object3D(CLOUD)})
        run.log({"object": wandb.Object3D(str(place / "o.obj"), caption="o")})
        guesses = {"y_true": [0, 1, 1], "preds": [0, 1, 0]}
        run.log(
            {"cm": wandb.plot.confusion_matrix(**guesses, class_names=["a", "b"], title="Confusion Matrix")}
        )
        curve = wandb.Table(
            columns=["class", "fpr", "tpr", "threshold", "auc"],
            data=[["a", 0.0, 0.0, None, 0.5], ["a", 1.0, 1.0, 0.5, 0.5]],
        )
        texts = {
            "title": "ROC Curve",
            "x-axis-title": "False positive rate",
            "y-axis-title": "True positive rate",
        }
        fields = {"x": "fpr", "y": "tpr", "class": "class"}
        run.log({"roc": wandb.plot_table("wandb/area-under-curve/v0", curve, fields, texts)})
        important = wandb.Table(columns=["feature_names", "importances"], data=[["f", 0.75], ["g", 0.25]])
        run.log({"imp": wandb.visualize("wandb/feature_importances/v1", important)})
    finally:
        run.finish()
        wandb.teardown()
    [log] = (folder / "wandb").glob("offline-run-*/*.wandb")
    return log
