"""Records of a transaction log as protobuf, with W&B's field numbers (wandb 0.31's descriptor)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Literal

from runcast.formats.wandb_log import entries as e
from runcast.formats.wandb_log.wire import data, number, text, varint

GOALS: tuple[Literal["", "minimize", "maximize"], ...] = ("", "minimize", "maximize")
_NUM = b"\x08"
_LONG = 1024
"""Numbers are shorter, and so are the times of a row made of many records."""
_HISTORY_TAG = varint(2 << 3 | 2)
_STEPS = [b"\x12" + varint(size + 1) + b"\x08" for size in range(11)]
"""What stands before a row's step, by the length of its varint."""
_VALUE_JSON = varint(16 << 3 | 2)


Row = tuple[int, tuple[str, ...], list[bytes], bool]
"""Step, names, as many JSON texts, and whether none of these is a dict, which is spelled in another way."""


def encode(entry: e.Entry, num: int) -> bytes:
    """The record's bytes.

    Args:
        entry: what to say; not `entries.Other`.
        num: its number in the log, from 1.

    Raises:
        TypeError, ValueError: a value is not JSON-like, or text holds lone surrogates.
    """
    if isinstance(entry, e.History):
        texts = [json.dumps(value).encode() for value in entry.values.values()]
        return next(histories(num, [(entry.step, tuple(entry.values), texts, False)]))
    field, body = _ENCODERS[type(entry)]
    return number(1, num) + data(field, body(entry))


def histories(num: int, rows: Iterable[Row]) -> Iterator[bytes]:
    """Bytes of many rows, the one kind that there is most of.

    Args:
        num: number of the first one in the log.
        rows: what they say.
    """
    names: tuple[str, ...] | None = None
    heads: list[_Heads] = []
    for number_, (step, keys, texts, is_plain) in enumerate(rows, num):
        if keys != names:
            names, heads = keys, _row(keys)
        if is_plain:
            items = [head[len(text)] + text for head, text in zip(heads, texts, strict=True)]
        else:
            items = [_item(*each) for each in zip(keys, texts, heads, strict=True)]
        at = varint(step)
        items += _STEPS[len(at)], at
        row = b"".join(items)
        yield b"".join((_NUM, varint(number_), _HISTORY_TAG, varint(len(row)), row))


class _Heads(dict[int, bytes]):
    """What stands before a text of so many bytes; a run has the same few sizes in every row."""

    def __init__(self, before: bytes) -> None:
        self._before = before

    def __missing__(self, size: int) -> bytes:
        before = self._before + varint(size)
        head = varint(1 << 3 | 2) + varint(len(before) + size) + before
        if size < _LONG:
            self[size] = head
        return head


def _item(key: str, text: bytes, heads: _Heads) -> bytes:
    if text[:1] == b"{":
        return b"".join([data(1, item) for item in _leaves((key,), json.loads(text))])
    return heads[len(text)] + text


@lru_cache(maxsize=4096)
def _heads(key: str) -> _Heads:
    return _Heads(_key(key))


@lru_cache(maxsize=64)
def _row(keys: tuple[str, ...]) -> list[_Heads]:
    return [_heads(key) for key in keys]


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[bytes]:
    # W&B's own client spells a dict of a row as one item per leaf.
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves((*path, name), inner)
    else:
        yield b"".join(data(2, name.encode()) for name in path) + data(16, json.dumps(value).encode())


@lru_cache(maxsize=4096)
def _key(key: str) -> bytes:
    # W&B's own client spells a flat name as a path of one; it keeps dots in names apart from nesting.
    return data(2, key.encode()) + _VALUE_JSON


def _items(field: int, values: e.Values) -> bytes:
    out = []
    for key, value in values.items():
        raw = json.dumps(value).encode()
        out.append(data(field, _key(key) + varint(len(raw)) + raw))
    return b"".join(out)


def _delta(entry: e.Config | e.Summary) -> bytes:
    removed = b"".join(data(2, data(2, key.encode())) for key in entry.remove)
    return _items(1, entry.update) + removed


def _header(entry: e.Header) -> bytes:
    return data(1, text(1, entry.producer) + text(2, entry.min_consumer))


def _time(field: int, ns: int) -> bytes:
    return data(field, number(1, ns // 10**9) + number(2, ns % 10**9)) if ns else b""


def _run(entry: e.Run) -> bytes:
    return b"".join((
        text(1, entry.run_id), text(2, entry.entity), text(3, entry.project),
        data(4, _items(1, entry.config)) if entry.config else b"",
        text(6, entry.group), text(7, entry.job_type), text(8, entry.name), text(9, entry.notes),
        *(data(10, tag.encode()) for tag in entry.tags),
        text(12, entry.sweep), text(13, entry.host), _time(17, entry.start_ns), number(18, entry.resumed),
    ))  # fmt: skip


def _metric(entry: e.Metric) -> bytes:
    options = data(6, number(3, 1))  # "defined": said by the script, not guessed
    wanted = b"".join(number(e.SUMMARIES[name], 1) for name in entry.summary)
    return b"".join((
        text(1, entry.name), text(2, entry.glob), text(4, entry.step_metric), options,
        data(7, wanted) if wanted else b"", number(8, GOALS.index(entry.goal)),
    ))  # fmt: skip


def _stats(entry: e.Stats) -> bytes:
    items = [text(1, key) + data(16, json.dumps(value).encode()) for key, value in entry.values.items()]
    return _time(2, entry.time_ns) + b"".join(data(3, item) for item in items)


def _environment(entry: e.Environment) -> bytes:
    git = text(1, entry.git_remote) + text(2, entry.git_commit)
    return b"".join((
        text(1, entry.os), text(2, entry.python), _time(3, entry.started_ns),
        *(data(5, arg.encode()) for arg in entry.args), text(6, entry.program),
        data(9, git) if git else b"", text(11, entry.root), text(12, entry.host), text(13, entry.username),
        text(14, entry.executable), number(16, entry.cpu_count), number(17, entry.cpu_count_logical),
        text(18, entry.gpu_type), number(19, len(entry.gpus)),
        data(21, number(1, entry.memory)) if entry.memory else b"",
        *(data(24, text(1, gpu.name) + number(2, gpu.memory)) for gpu in entry.gpus),
        text(25, entry.cuda_version), text(199, entry.writer_id),
    ))  # fmt: skip


def _output(entry: e.Output) -> bytes:
    return number(1, entry.stream == "stdout") + _time(2, entry.time_ns) + text(3, entry.text)


def _files(entry: e.Files) -> bytes:
    return b"".join(data(1, text(1, path) + number(2, not entry.now)) for path in entry.paths)


def _manifest_entry(entry: e.ManifestEntry) -> bytes:
    where = text(1, entry.path) + text(2, entry.digest) + text(3, entry.ref) + number(4, entry.size)
    # "skip_cache": the content has a permanent home already, the client need not copy it into its cache.
    return where + text(6, entry.local_path) + number(8, not entry.ref)


def _artifact(entry: e.Artifact) -> bytes:
    layout = data(3, text(1, "storageLayout") + text(2, '"V2"'))
    manifest = number(1, 1) + text(2, "wandb-storage-policy-v1") + layout
    manifest += b"".join(data(4, _manifest_entry(file)) for file in entry.entries)
    return b"".join((
        text(1, entry.run_id), text(2, entry.project), text(3, entry.entity), text(4, entry.type),
        text(5, entry.name), text(6, entry.digest), text(7, entry.description), text(8, entry.metadata),
        number(10, entry.use), *(data(11, alias.encode()) for alias in entry.aliases),
        data(12, manifest), number(14, 1), text(15, entry.client_id), text(16, entry.sequence_client_id),
        text(20, "MANIFEST_MD5"),
    ))  # fmt: skip


def _exit(entry: e.Exit) -> bytes:
    return number(1, entry.code) + number(2, entry.runtime)


_ENCODERS: dict[type, tuple[int, Callable[[Any], bytes]]] = {
    e.Summary: (3, _delta),
    e.Config: (5, _delta),
    e.Files: (6, _files),
    e.Artifact: (8, _artifact),
    e.Metric: (12, _metric),
    e.Stats: (7, _stats),
    e.Environment: (26, _environment),
    e.Output: (13, _output),
    e.Run: (17, _run),
    e.Exit: (18, _exit),
    e.Header: (21, _header),
}
