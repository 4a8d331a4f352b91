"""From a run's model, an artifact or a folder to a `Candidate`."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcast.artifacts import StoredArtifact, collect
from runcast.artifacts.find import find
from runcast.catalog import run as find_run
from runcast.catalog import versions as logged
from runcast.courier.progress import refs
from runcast.errors import UsageError
from runcast.journal import Blobs, Layout, digest, settle
from runcast.normalize import metrics as normalized
from runcast.plugins.registry import Candidate
from runcast.records import Artifact, Scalar

if TYPE_CHECKING:
    from runcast.run import Run

Source = str | os.PathLike[str] | StoredArtifact
_MODEL = ("flavor", "signature", "example", "requirements", "step", "data")


def candidate(
    name: str,
    source: Source | None,
    *,
    run: Run | str | None,
    metrics: Mapping[str, Any] | None,
    layout: Layout,
    by: str,
    now: int,
) -> Candidate:
    """What is to be registered.

    Args:
        name: of the model.
        source: a folder or file; ``[experiment/]name[:alias]`` of an artifact; None: the run's last model.
        run: who made it; of an artifact it is known.
        metrics: instead of those that the run logged.
        layout: runcast's folder.
        by: who registers it.
        now: ns since 1970.

    Raises:
        UsageError: there is no such thing, or not all of it can be taken.
    """
    numbers = None if metrics is None else _numbers(metrics)
    run_id = _run_id(run, layout)
    if isinstance(source, (str, os.PathLike)) and Path(source).exists():
        stored = None
        files, digests, digest = _from_folder(source, layout, now)
    else:
        stored = _stored(source, run_id, layout)
        run_id = stored.run
        files, digests, digest = _from_stored(stored)
    info = find_run(run_id, dir=layout.root) if run_id else None
    if numbers is None:
        numbers = {k: s.last for k, s in info.metrics.items() if s.last is not None} if info else {}
    model = (stored.model if stored else None) or {}
    return Candidate(
        name=name,
        identity=hashlib.sha256(f"{name}\0{run_id}\0{digest}".encode()).hexdigest(),
        digest=digest,
        files=files,
        digests=digests,
        run=run_id,
        refs=_refs(layout, run_id),
        experiment=info.experiment if info else "",
        metrics=dict(numbers),
        model={key: model[key] for key in _MODEL if model.get(key) not in (None, [], {})},
        by=by,
        time=now,
    )


def _numbers(metrics: Mapping[str, Any]) -> Mapping[str, Scalar]:
    """What a script gives as metrics, as `Run.log` takes them."""
    numbers, _, problems = normalized(metrics)
    if problems:
        key, reason, detail, _ = problems[0]
        raise UsageError(f"metrics: {key or 'the value'}: {reason} ({detail})")
    return numbers


def who() -> str:
    """The person, as far as the machine knows: ``user@host``."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _run_id(run: Run | str | None, layout: Layout) -> str:
    if run is None:
        return ""
    return find_run(run if isinstance(run, str) else run.id, dir=layout.root).id


def _stored(source: Source | None, run: str, layout: Layout) -> StoredArtifact:
    if isinstance(source, StoredArtifact):
        return source
    if source is None:
        if not run:
            raise UsageError("register needs a folder, an artifact's name, or a run (run=, --run)")
        models = [info for info in logged.logged_by(run, layout.root) if info.model is not None]
        if not models:
            raise UsageError(f"run {run} has logged no model: log one with run.log_model, or give a folder")
        return StoredArtifact(models[-1], layout)
    if isinstance(source, os.PathLike) or source.startswith(("/", "./", "../", "~")):
        raise UsageError(f"{os.fspath(source)!r} is neither a file nor a folder")
    where = find_run(run, dir=layout.root).experiment if run else logged.only_experiment(source, layout.root)
    try:
        return find(source, where, layout)
    except UsageError as error:
        raise UsageError(f"{source!r} is no file or folder, and {error}") from None


def _from_stored(stored: StoredArtifact) -> tuple[dict[str, Path], dict[str, str], str]:
    if away := [file.uri for file in stored.files if file.uri]:
        raise UsageError(
            f"artifact {stored.name!r} has files that stay elsewhere, such as {away[0]}: a registry keeps "
            "files; log it with its content"
        )
    _some(stored.name, stored.files)
    folder = stored.path  # compared with the digests
    return (
        {file.path: folder / file.path for file in stored.files},
        {file.path: file.sha256 for file in stored.files},
        stored.digest,
    )


def _from_folder(
    source: str | os.PathLike[str], layout: Layout, now: int
) -> tuple[dict[str, Path], dict[str, str], str]:
    blobs = Blobs(layout.blobs)
    taken = collect(source, blobs)
    if taken.problems:
        raise UsageError(f"{os.fspath(source)!r} is not registered: {'; '.join(taken.problems[:5])}")
    _some(os.fspath(source), taken.files)
    record = settle(Artifact(time=now, name="", type="model", files=taken.files, digest=""), blobs)
    return (
        {file.path: blobs.path(file.sha256) for file in record.files},
        {file.path: file.sha256 for file in record.files},
        digest(record.files),
    )


def _some(what: str, files: list[Any]) -> None:
    if not files:
        raise UsageError(f"{what!r} has no files: there is nothing to register")


def _refs(layout: Layout, run: str) -> dict[str, str]:
    """Where the trackers have the run."""
    folder = layout.run(run) / "delivery" if run else None
    if folder is None or not folder.is_dir():
        return {}
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return {name: ref.id for name, ref in refs(layout, run, names).items()}
