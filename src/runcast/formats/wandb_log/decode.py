"""Protobuf records of a transaction log, read back.

Every log that wandb 0.22 to 0.31 writes is understood: flat keys and paths, JSON texts and typed values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runcast.formats.wandb_log import entries as e
from runcast.formats.wandb_log.encode import GOALS
from runcast.formats.wandb_log.wire import fields, signed

_Fields = dict[int, list[Any]]


def decode(payload: bytes) -> tuple[int, e.Entry]:
    """A record's number in its log, and what it says.

    Raises:
        ValueError: the bytes are no such record.
    """
    num, entry = 0, None
    for field, value in fields(payload):
        if field == 1 and isinstance(value, int):
            num = signed(value)
        elif isinstance(value, bytes) and field not in (19, 200, 16):  # ids of the client's own channel
            read = _DECODERS.get(field)
            entry = read(_collect(value)) if read else e.Other(kind=field)
    if entry is None:
        raise ValueError("a record without content")
    return num, entry


def _collect(message: bytes) -> _Fields:
    out: _Fields = {}
    for field, value in fields(message):
        out.setdefault(field, []).append(value)
    return out


def _text(message: _Fields, field: int) -> str:
    return str(_raw(message, field), "utf-8", "replace")


def _texts(message: _Fields, field: int) -> list[str]:
    return [str(value, "utf-8", "replace") for value in message.get(field, ()) if isinstance(value, bytes)]


def _raw(message: _Fields, field: int) -> bytes:
    value = message.get(field, [b""])[-1]
    if not isinstance(value, bytes):
        raise ValueError(f"field {field} is no text")
    return value


def _int(message: _Fields, field: int) -> int:
    value = message.get(field, [0])[-1]
    if not isinstance(value, int):
        raise ValueError(f"field {field} is no integer")
    return signed(value)


def _time(message: _Fields, field: int) -> int:
    stamp = _collect(_raw(message, field))
    return _int(stamp, 1) * 10**9 + _int(stamp, 2)


def _values(message: _Fields, field: int) -> e.Values:
    out: e.Values = {}
    for raw in message.get(field, ()):
        item = _collect(raw)
        path = _texts(item, 2) or [_text(item, 1)]
        level = out
        for name in path[:-1]:
            deeper = level.get(name)
            level = deeper if isinstance(deeper, dict) else level.setdefault(name, {})
            if not isinstance(level, dict):
                raise ValueError(f"{'.'.join(path)} is both a value and a dict")
        level[path[-1]] = _value(item)
    return out


def _value(item: _Fields) -> Any:
    if 16 in item or 8 in item:
        return json.loads(_raw(item, 16 if 16 in item else 8))
    if 7 in item:
        return _text(item, 7)
    if 6 in item:
        return item[6][-1]
    if 5 in item:  # zigzag
        return (item[5][-1] >> 1) ^ -(item[5][-1] & 1)
    return bool(item[4][-1]) if 4 in item else None


def _removed(message: _Fields) -> list[str]:
    items = [_collect(raw) for raw in message.get(2, ())]
    return [".".join(_texts(item, 2) or [_text(item, 1)]) for item in items]


def _header(m: _Fields) -> e.Entry:
    version = _collect(_raw(m, 1))
    return e.Header(producer=_text(version, 1), min_consumer=_text(version, 2))


def _run(m: _Fields) -> e.Entry:
    return e.Run(
        run_id=_text(m, 1), entity=_text(m, 2), project=_text(m, 3),
        config=_values(_collect(_raw(m, 4)), 1),
        group=_text(m, 6), job_type=_text(m, 7), name=_text(m, 8), notes=_text(m, 9), tags=_texts(m, 10),
        host=_text(m, 13), start_ns=_time(m, 17), resumed=bool(_int(m, 18)),
        sweep=_text(m, 12),
    )  # fmt: skip


def _history(m: _Fields) -> e.Entry:
    return e.History(step=_int(_collect(_raw(m, 2)), 1), values=_values(m, 1))


def _output(m: _Fields) -> e.Entry:
    stream = "stdout" if _int(m, 1) else "stderr"
    return e.Output(stream=stream, time_ns=_time(m, 2), text=_text(m, 3))  # type: ignore[arg-type]  # one of two


def _file(raw: bytes) -> e.ManifestEntry:
    m = _collect(raw)
    return e.ManifestEntry(
        path=_text(m, 1), digest=_text(m, 2), ref=_text(m, 3), size=_int(m, 4), local_path=_text(m, 6)
    )


def _metric(m: _Fields) -> e.Entry:
    wanted, goal = _collect(_raw(m, 7)), _int(m, 8)
    return e.Metric(
        name=_text(m, 1), glob=_text(m, 2), step_metric=_text(m, 4),
        summary=[name for name, field in e.SUMMARIES.items() if _int(wanted, field)],
        goal=GOALS[goal] if goal in range(len(GOALS)) else "",
    )  # fmt: skip


def _stats(m: _Fields) -> e.Entry:
    items = [_collect(raw) for raw in m.get(3, ())]
    return e.Stats(time_ns=_time(m, 2), values={_text(i, 1): json.loads(_raw(i, 16)) for i in items})


def _environment(m: _Fields) -> e.Entry:
    git, gpus = _collect(_raw(m, 9)), [_collect(raw) for raw in m.get(24, ())]
    return e.Environment(
        os=_text(m, 1), python=_text(m, 2), started_ns=_time(m, 3), args=_texts(m, 5), program=_text(m, 6),
        git_remote=_text(git, 1), git_commit=_text(git, 2), root=_text(m, 11), host=_text(m, 12),
        username=_text(m, 13), executable=_text(m, 14), cpu_count=_int(m, 16),
        cpu_count_logical=_int(m, 17), gpu_type=_text(m, 18), memory=_int(_collect(_raw(m, 21)), 1),
        gpus=[e.Gpu(name=_text(gpu, 1), memory=_int(gpu, 2)) for gpu in gpus],
        cuda_version=_text(m, 25), writer_id=_text(m, 199),
    )  # fmt: skip


def _files(m: _Fields) -> e.Entry:
    files = [_collect(raw) for raw in m.get(1, ())]
    now = bool(files) and not any(_int(file, 2) for file in files)
    return e.Files(paths=[_text(file, 1) for file in files], now=now)


def _artifact(m: _Fields) -> e.Entry:
    manifest = _collect(_raw(m, 12))
    return e.Artifact(
        run_id=_text(m, 1), project=_text(m, 2), entity=_text(m, 3), type=_text(m, 4), name=_text(m, 5),
        digest=_text(m, 6), description=_text(m, 7), metadata=_text(m, 8), aliases=_texts(m, 11),
        entries=[_file(raw) for raw in manifest.get(4, ())],
        client_id=_text(m, 15), sequence_client_id=_text(m, 16), use=bool(_int(m, 10)),
    )  # fmt: skip


_DECODERS: dict[int, Callable[[_Fields], e.Entry]] = {
    2: _history,
    3: lambda m: e.Summary(update=_values(m, 1), remove=_removed(m)),
    5: lambda m: e.Config(update=_values(m, 1), remove=_removed(m)),
    6: _files,
    8: _artifact,
    7: _stats,
    12: _metric,
    13: _output,
    17: _run,
    18: lambda m: e.Exit(code=_int(m, 1), runtime=_int(m, 2)),
    21: _header,
    26: _environment,
}
