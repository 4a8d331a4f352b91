"""What other writers put into events, each kind in the form that `docs/media.md` gives it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from runcast.formats.tfevents import EXPERIMENT, Event, SessionEnd, SessionStart, Value, parse_session
from runcast.formats.tfevents.wire import fields
from runcast.journal import Blobs
from runcast.records import Metrics, Params, Record
from runcast.sources.tensorboard import numbers, pictures, solids, words
from runcast.sources.tensorboard.item import Item, npy
from runcast.sources.tensorboard.losses import Losses

_DAMAGED = (ValueError, LookupError, ArithmeticError, struct.error, TypeError)
_OURS = "_runcast_/"
"""What the tags begin with of texts that our backend writes for people alone."""
_GRAPH, _LOG, _SESSION, _METADATA, _META_GRAPH = 4, 6, 7, 8, 9  # fields of an event

Form = Callable[[Item], Iterator[Record]]
_MESSAGES: Mapping[str, Form] = {
    "image": pictures.image,
    "audio": pictures.audio,
    "histo": numbers.histogram,
    "text": words.text,
}
_TENSORS: Mapping[str, Form] = {
    "images": pictures.images,
    "audio": pictures.clips,
    "histograms": numbers.buckets,
    "pr_curves": numbers.pr_curve,
    "text": words.text,
    "graphs": solids.graph,
}
"""Name of a plugin → what reads its tensors."""


class Values:
    """Turns events into records; remembers what the first value of a tag says of it.

    Args:
        blobs: takes the content of files.
        losses: is told what has no place.
        keys: tag → name that the script used, where they differ.
        known: the session's start, where the run's start has said already what params do not say.

    Attributes:
        ended: the last end of a session.
    """

    def __init__(
        self, blobs: Blobs, losses: Losses, keys: Mapping[str, str], known: SessionStart | None
    ) -> None:
        self._blobs, self._losses, self._keys, self._known = blobs, losses, keys, known
        self._plugins: dict[str, tuple[str, bytes]] = {}
        self.ended: SessionEnd | None = None

    def records(self, event: Event) -> Iterator[Record]:
        """The records of one event, in its order; numbers first, as one record."""
        if event.time == 0 and event.wall_time != 0:
            self._losses.add("", "a wall time that is no time is taken for 0")
        scalars: dict[str, Any] = {}
        meshes: list[Item] = []
        others: list[Item] = []
        for value in event.values:
            key = self._keys.get(value.tag, value.tag)
            if value.kind == "scalar" and not value.plugin and key not in scalars:
                scalars[key] = value.value
            elif not value.tag.startswith(_OURS):
                self._sort(self._item(event, value), scalars, meshes, others)
        if scalars:
            yield Metrics(time=event.time, step=event.step, values=scalars)
        for item in others:
            yield from self._guarded(item, self._other)
        if meshes:
            yield from self._guarded(meshes[0], lambda _: solids.meshes(meshes))
        for field, content in event.other.items():
            item = Item(event.time, event.step, Value("graph", "none", b""), "", b"", self._blobs)
            yield from self._guarded(item, partial(self._field, field, content))

    def _sort(self, item: Item, scalars: dict[str, Any], meshes: list[Item], others: list[Item]) -> None:
        try:
            number = _number(item)
        except _DAMAGED as error:
            self._refuse(item, error)
            return
        if number is not None and item.key not in scalars:
            scalars[item.key] = number
        elif item.plugin == "mesh" and item.message:
            meshes.append(item)
        else:
            others.append(item)

    def _item(self, event: Event, value: Value) -> Item:
        plugin = value.plugin, value.content
        if value.plugin:
            if value.described and value.tag not in self._plugins:
                reason = "its description in TensorBoard has no place in a record"
                self._losses.add(value.tag, reason, detail=value.described[:200])
            self._plugins[value.tag] = plugin
        else:
            plugin = self._plugins.get(value.tag, plugin)
        key = self._keys.get(value.tag)
        if key is None:
            key = value.tag.removesuffix(words.SUFFIX) if plugin[0] == "text" else value.tag
        return Item(event.time, event.step, value._replace(tag=key), *plugin, self._blobs)

    def _guarded(self, item: Item, form: Form) -> Iterator[Record]:
        try:
            yield from form(item)
        except _DAMAGED as error:
            self._refuse(item, error)

    def _refuse(self, item: Item, error: Exception) -> None:
        what = item.plugin or item.value.kind
        self._losses.add(item.key, f"a value of kind {what} cannot be read: {error}"[:300])

    def _other(self, item: Item) -> Iterator[Record]:
        number = _number(item)
        if number is not None:  # the same name twice in one event
            yield Metrics(time=item.time, step=item.step, values={item.key: number})
        elif item.plugin == "hparams":
            yield from self._session(item)
        elif item.value.kind in _MESSAGES:
            yield from _MESSAGES[item.value.kind](item)
        elif item.value.kind == "none":
            raise ValueError("it is empty")
        else:
            yield from _TENSORS.get(item.plugin, _tensor)(item)

    def _session(self, item: Item) -> Iterator[Record]:
        session = parse_session(item.content)
        if isinstance(session, SessionStart):
            if session.params:
                yield Params(time=item.time, values=session.params)
            if self._known is None or session[1:] != self._known[1:]:
                said = {"group": session.group, "start": session.start, **session.links}
                detail = str({name: value for name, value in said.items() if value})
                if detail != "{}":
                    self._losses.add(item.key, "a run has one session; what another one says", detail=detail)
        elif isinstance(session, SessionEnd):
            self.ended = session
        elif item.key != EXPERIMENT:
            raise ValueError("it is neither a start nor an end")

    def _field(self, number: int, content: bytes, item: Item) -> Iterator[Record]:
        """What an event holds in place of a summary."""
        if number == _GRAPH:
            yield solids.of_graph(item, content, "graph")
        elif number == _META_GRAPH:
            yield item.artifact("meta_graph.pb", content)
        elif number == _METADATA:
            said = {n: value for n, _, value in fields(content)}
            name, metadata = said.get(1, b""), said.get(2, b"")
            if isinstance(metadata, bytes) and isinstance(name, bytes):
                yield item.artifact("run_metadata.pb", metadata, run=name.decode("utf-8", "replace"))
        elif number in (_LOG, _SESSION):
            what = "a log message" if number == _LOG else "a mark that a session of TensorFlow began or ended"
            self._losses.add("", f"{what} has no place in a record")


def _number(item: Item) -> bool | int | float | None:
    """The value as a metric; None where it is none. TensorFlow 2 writes numbers as tensors."""
    value = item.value
    if value.kind == "scalar" and not isinstance(value.value, (bytes, str)):
        return value.value
    if value.kind != "tensor" or item.plugin not in ("scalars", ""):
        return None
    tensor = item.tensor()
    if tensor.code == "s" or len(tensor.content) == 0:
        return None
    cells = tensor.numbers()
    if len(cells) != 1 or (tensor.shape and item.plugin == ""):
        return None
    number: bool | int | float = cells[0]
    return number


def _tensor(item: Item) -> Iterator[Record]:
    """Of a plugin that no record has a form for: a file, with what is known about it."""
    tensor = item.tensor()
    if tensor.code != "s":
        content = npy(tensor.code, tensor.shape, tensor.content)
        yield item.artifact("tensor.npy", content, shape=list(tensor.shape))
        return
    for string in tensor.strings:
        yield item.artifact("tensor.bin", string, shape=list(tensor.shape))
