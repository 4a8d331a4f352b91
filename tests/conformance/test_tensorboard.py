"""TensorBoard's folder, read back with TensorBoard's own reader, and runcast.json where it has no slot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.unknown_fields import UnknownFieldSet
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

from runcast.backends.tensorboard import TensorBoardBackend
from runcast.codec import unpack
from runcast.plugins import OpenRun
from runcast.testing import BackendContract, ReadBack

RECORD = 77002
"""The event's field that holds the record that it was made from; see docs/tensorboard.md."""
SUFFIX = "/text_summary"


class TestTensorBoard(BackendContract):
    """Scalars and texts as TensorBoard shows them."""

    backend = TensorBoardBackend
    sdk = ("tensorboard", "torch", "tensorflow")
    time_resolution = 1000  # a double of seconds

    def read_back(self, run: OpenRun) -> ReadBack:
        """The event file of scalars and texts; the rest from the document beside it."""
        folder = run.resolve("runs") / run.state["folder"]
        facts = unpack(json.loads((folder / "runcast.json").read_text()))
        names: dict[str, str] = facts["keys"]
        (events,) = (p for p in folder.glob("events.out.tfevents.*") if ".hparams." not in p.name)
        reader = EventAccumulator(
            str(events), size_guidance=dict.fromkeys(["scalars", "tensors"], 0)
        ).Reload()
        tags = reader.Tags()
        plugins = {tag: reader.SummaryMetadata(tag).plugin_data.plugin_name for tag in tags["tensors"]}
        companions, media = _companions(events)
        texts = [
            tag
            for tag, plugin in plugins.items()
            if plugin == "text" and not tag.startswith("_runcast_/") and tag not in companions
        ]
        scalars = {tag: reader.Scalars(tag) for tag in tags["scalars"]}
        return ReadBack(
            params=facts["params"],
            metrics={
                names.get(tag, tag): [(e.step, round(e.wall_time * 1e9), e.value) for e in points]
                for tag, points in scalars.items()
                if not tag.startswith("~system/")
            },
            system={
                tag.removeprefix("~system/"): [(round(e.wall_time * 1e9), e.value) for e in points]
                for tag, points in scalars.items()
                if tag.startswith("~system/")
            },
            media=media,
            tags=facts["tags"],
            note=facts["note"] or "",
            texts={
                names.get(tag, tag.removesuffix(SUFFIX)): [(e.step, _text(e)) for e in reader.Tensors(tag)]
                for tag in texts
            },
            artifacts={each["name"]: _files(folder / each["folder"]) for each in facts["artifacts"]},
            status=facts["status"],
            experiment=facts["experiment"],
            name=facts["name"],
            parent=facts["parent_folder"] or "",
        )


def _companions(path: Path) -> tuple[set[str], dict[str, list[int]]]:
    """Tags of events that stand for another kind of record, and of media: name → steps."""
    tags: set[str] = set()
    media: dict[str, list[int]] = {}
    for event in EventFileLoader(str(path)).Load():
        (said,) = [f.data for f in UnknownFieldSet(event) if f.field_number == RECORD] or [b""]
        if said:
            tags |= {value.tag for value in event.summary.value}
            record = json.loads(said)
            if record.get("kind") == "media":
                media.setdefault(record["key"], []).append(record["step"])
    return tags, media


def _text(event: Any) -> str:
    return str(tensor_util.make_ndarray(event.tensor_proto).ravel()[0].decode("utf-8", "surrogatepass"))


def _files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
