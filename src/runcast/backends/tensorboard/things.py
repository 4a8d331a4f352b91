"""Records with content: media, artifacts, models and what the run used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runcast.backends.tensorboard import pages, shown
from runcast.backends.tensorboard.beside import digest_of, place, version_folder
from runcast.backends.tensorboard.draft import Draft
from runcast.backends.tensorboard.media import present
from runcast.backends.tensorboard.media.medium import Medium
from runcast.codec import encode
from runcast.formats.tfevents import RUN_GRAPH, frame, graph_event, text_value
from runcast.plugins import Change
from runcast.records import Artifact, FileRef, Input, Media, Model


def media(draft: Draft, record: Media) -> None:
    """Each type in its form, and what can be said of it in words as a text of the same name."""
    if record.type == "text" and not (record.data or record.contents):
        tag = draft.tag(record.key, shown.TEXT_SUFFIX)
        draft.advance(tag, record.key, record.step)
        draft.text(record.time, record.step, tag, record.text or "", record.caption)
        return
    medium = Medium(draft.run, draft.root, record, draft.tag)
    present(medium)
    if medium.graph:
        if RUN_GRAPH in draft.steps:
            medium.degraded("TensorBoard shows one graph per run; the event file has each")
        draft.steps[RUN_GRAPH] = record.step
        draft.events.append(frame(graph_event(record.time, record.step, medium.graph, encode(record))))
    else:
        values = list(medium.values)
        if medium.words:
            tag = draft.tag(record.key, shown.TEXT_SUFFIX)
            medium.show(tag)
            caption = record.caption if medium.verbatim else None
            values.append(text_value(tag, "\n\n".join(medium.words), caption))
        for tag in medium.tags:
            draft.advance(tag, record.key, record.step)
        draft.emit(record, record.step, values)
    if medium.embedding:
        draft.edit().embeddings.append(medium.embedding)
    draft.changes += medium.changes


def artifact(draft: Draft, record: Artifact) -> None:
    """Files beside, a text about them."""
    folder = version_folder("artifacts", record.name, record.digest)
    place(draft.run, draft.root, folder, f"artifact {record.name!r}", record.files)
    entry = {"name": record.name, "type": record.type, "digest": record.digest, "time": record.time}
    entry |= {"aliases": record.aliases, "metadata": record.metadata, "folder": folder}
    if record.description:
        entry["description"] = record.description
    entry["files"] = _listed(record.files)
    draft.edit().artifacts.append(entry)
    _lesser(draft, record.name, "artifacts")
    draft.page(record, "artifacts", pages.thing(entry), numbered=True)


def model(draft: Draft, record: Model) -> None:
    """Files beside, a text about them."""
    folder = version_folder("models", record.name, record.digest)
    place(draft.run, draft.root, folder, f"model {record.name!r}", record.files)
    entry = _fields(record) | {"folder": folder}
    draft.edit().models.append(entry)
    _lesser(draft, record.name, "models")
    if record.register_as:
        draft.changes.append(Change("skipped", record.register_as, "TensorBoard has no registry of models"))
    draft.page(record, "models", pages.thing(entry), numbered=True)


def used(draft: Draft, record: Input) -> None:
    """Where it comes from, and its files where there are any."""
    entry = _fields(record)
    if any(not file.uri for file in record.files):
        entry["folder"] = version_folder("inputs", record.name, digest_of(record.files))
        place(draft.run, draft.root, entry["folder"], f"input {record.name!r}", record.files)
    draft.edit().inputs.append(entry)
    _lesser(draft, record.name, "inputs")
    draft.page(record, "inputs", pages.thing(entry), numbered=True)


def _lesser(draft: Draft, name: str, what: str) -> None:
    """Tell that TensorBoard has no such thing."""
    detail = f"TensorBoard has no {what}: a text says what it is, its files are in the run's folder"
    draft.changes.append(Change("degraded", name, detail))


def _fields(record: Model | Input) -> dict[str, Any]:
    """What a record says, in the facts' form: what was not said is left out."""
    skipped = {"writer", "seq", "files"}
    said = {name: getattr(record, name) for name in record.__struct_fields__ if name not in skipped}
    entry = {name: value for name, value in said.items() if value not in (None, "", [], {})}
    return entry | {"files": _listed(record.files)}


def _listed(files: Sequence[FileRef]) -> list[dict[str, Any]]:
    return [
        {"path": file.path, "sha256": file.sha256, "size": file.size}
        | ({"uri": file.uri} if file.uri else {})
        for file in files
    ]
