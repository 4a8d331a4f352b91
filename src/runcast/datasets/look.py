"""What is known of data: digest, schema, sizes. Nothing is copied, and files are read in pieces."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runcast.artifacts import is_uri, name_of, public_uri
from runcast.artifacts.collect import walk
from runcast.datasets import digests
from runcast.errors import UsageError
from runcast.journal import digest as files_digest
from runcast.models.schema import kind_of, schema
from runcast.normalize.problem import type_name
from runcast.records import FileRef
from runcast.redact import redact_text

KEYS = frozenset({"kind", "schema", "targets", "target", "profile", "splits", "split_digests"})
"""Names in an input's metadata that have a meaning."""
MOST_FILES = 1000
"""A folder with more files is digested, but its files are not listed."""
_CHUNK = 1 << 20


class Seen(NamedTuple):
    """What was found out.

    Attributes:
        name: what to call the dataset where the script does not say.
        digest: 64 hex digits; ``""`` where there was nothing to read.
        source: URI where the data come from, without credentials.
        files: of a file or small folder.
        metadata: under the names of `KEYS`.
        problems: what could not be read or understood.
    """

    name: str
    digest: str
    source: str | None
    files: list[FileRef]
    metadata: dict[str, Any]
    problems: list[str]


def look(
    data: Any, *, source: Any = None, target: Any = None, splits: Mapping[str, Any] | None = None
) -> Seen:
    """Find out about data; see `Run.log_dataset` for what they may be.

    Raises:
        UsageError: data of a class that nobody knows, or a path where nothing is.
        OSError: a file cannot be read.
    """
    problems: list[str] = []
    if data is None or (isinstance(data, str) and is_uri(data)):
        where = source if data is None else data
        seen = Seen(_name(where), "", _source(where), [], {"kind": "source"}, problems)
    elif isinstance(data, (str, os.PathLike)):
        seen = _path(Path(data), source, problems)
    else:
        digest, metadata = _memory(data, problems)
        seen = Seen("dataset", digest, _source(source), [], metadata, problems)
    _add_target(seen.metadata, target, problems)
    _add_splits(seen.metadata, splits or {}, problems)
    return seen


def _name(where: Any) -> str:
    text = _source(where) or ""
    return text.rstrip("/").rpartition("/")[2] or "dataset"


def _source(source: Any) -> str | None:
    if source is None:
        return None
    text = os.fspath(source) if isinstance(source, (str, os.PathLike)) else str(source)
    return public_uri(text) if is_uri(text) else redact_text(text)


def _path(path: Path, source: Any, problems: list[str]) -> Seen:
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"dataset {str(path)!r} is not there; give the path of a file or folder") from error
    where = _source(source) or real.as_uri()
    if real.is_dir():
        files = []
        for relative, place in walk(real, problems):
            try:
                files.append(_read(relative, place))
            except OSError as error:
                problems.append(f"{relative}: {error.strerror or error}")
        files.sort(key=lambda file: file.path)
        digest, kind = files_digest([FileRef(f.path, f.sha256, f.size) for f in files]), "folder"
    elif real.is_file():
        files = [_read(path.name, real)]
        digest, kind = files[0].sha256, "file"
    else:
        raise UsageError(f"dataset {str(path)!r} is neither a file nor a folder")
    profile = {"bytes": sum(file.size for file in files), "files": len(files)}
    listed = files if len(files) <= MOST_FILES else []
    return Seen(name_of(path), digest, where, listed, {"kind": kind, "profile": profile}, problems)


def _read(relative: str, place: Path) -> FileRef:
    sha, size = hashlib.sha256(), 0
    with place.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            sha.update(chunk)
            size += len(chunk)
    return FileRef(relative, sha.hexdigest(), size, uri=place.as_uri())


def _memory(data: Any, problems: list[str]) -> tuple[str, dict[str, Any]]:
    kind, parts = _parts(data)
    if kind in ("pandas", "polars"):
        digest, profile = _of_frame(data, kind)
    elif kind == "numpy":
        digest = digests.of_array(parts[""])
        profile = {"rows": len(parts[""]), "elements": int(parts[""].size), "bytes": int(parts[""].nbytes)}
    else:
        digest = digests.of_columns({name: digests.of_array(array) for name, array in parts.items()})
        profile = {
            "rows": max((len(array) for array in parts.values()), default=0),
            "columns": len(parts),
            "elements": sum(int(array.size) for array in parts.values()),
            "bytes": sum(int(array.nbytes) for array in parts.values()),
        }
    metadata: dict[str, Any] = {"kind": kind, "profile": profile}
    try:
        metadata["schema"] = schema(parts[""] if kind == "numpy" else parts or data)
    except UsageError as error:
        problems.append(f"it has no schema: {error}")
    return digest, metadata


def _parts(data: Any) -> tuple[str, dict[str, Any]]:
    """The kind of data in memory, and its arrays by name; of a frame none, because it has columns."""
    kind = kind_of(data)
    if kind in ("pandas", "polars"):
        return kind, {}
    if kind == "array" and data.ndim:
        return "numpy", {"": data}
    if kind == "tensor" and data.ndim:
        return "numpy", {"": _array(data)}
    if kind == "arrays":
        return "arrays", {str(name): _array(array) for name, array in data.items()}
    every = getattr(data, "tensors", None)  # torch.utils.data.TensorDataset
    if isinstance(every, tuple) and every and all(kind_of(each) == "tensor" for each in every):
        return "torch", {str(number): _array(each) for number, each in enumerate(every)}
    raise UsageError(
        f"a dataset of type {type_name(data)} cannot be digested: give a path, an array, a dict of arrays, a "
        "data frame or a TensorDataset, or only name= and source="
    )


def _array(data: Any) -> Any:
    if kind_of(data) != "tensor":
        return data
    data = data.detach()
    if str(data.device) == "meta":
        raise UsageError("a tensor on the device 'meta' has no values; give one that has been computed")
    if str(data.dtype).startswith(("torch.bfloat", "torch.float8")):  # NumPy has no such types
        data = data.float()
    return data.cpu().numpy()


def _of_frame(frame: Any, kind: str) -> tuple[str, dict[str, Any]]:
    from runcast.datasets import frames

    digest_of = frames.pandas_column if kind == "pandas" else frames.polars_column
    names = [str(name) for name in frame.columns]
    columns = [frame[name] for name in frame.columns]
    if any(getattr(column, "ndim", 1) != 1 for column in columns):
        raise UsageError("a data frame with two columns of one name cannot be digested; rename one")
    missing = {
        name: int(column.isna().sum() if kind == "pandas" else column.null_count())
        for name, column in zip(names, columns, strict=True)
    }
    size = frame.memory_usage(index=False).sum() if kind == "pandas" else frame.estimated_size()
    profile = {
        "rows": len(frame),
        "columns": len(names),
        "elements": len(frame) * len(names),
        "bytes": int(size),
        "nulls": {name: count for name, count in missing.items() if count},
    }
    digest = digests.of_columns({n: digest_of(c) for n, c in zip(names, columns, strict=True)})
    return digest, profile


def _add_target(metadata: dict[str, Any], target: Any, problems: list[str]) -> None:
    if isinstance(target, str):
        metadata["target"] = target
        names = [column.get("name") for column in metadata.get("schema", [])]
        if names and target not in names:
            problems.append(f"it has no column {target!r}, which target= names")
    elif target is not None:
        try:
            metadata["targets"] = schema(target)
        except UsageError as error:
            problems.append(f"its targets have no schema: {error}")


def _add_splits(metadata: dict[str, Any], splits: Mapping[str, Any], problems: list[str]) -> None:
    counts: dict[str, int] = {}
    found: dict[str, str] = {}
    for name, split in splits.items():
        try:
            if isinstance(split, (int, float)) and not isinstance(split, bool):
                counts[str(name)] = int(split)
            elif hasattr(split, "__index__") and not getattr(split, "shape", ()):
                counts[str(name)] = split.__index__()
            else:
                found[str(name)], seen = _memory(split, [])
                counts[str(name)] = seen["profile"]["rows"]
        except (UsageError, ValueError, OverflowError) as error:
            problems.append(f"split {str(name)!r}: {error}; give a number of rows, or data")
    if counts:
        metadata["splits"] = counts
    if found:
        metadata["split_digests"] = found
