"""From a candidate to one of MLflow's logged models, found again where an earlier attempt left one.

A model that the MLflow backend logged with the run is taken as it is. Anything else becomes a logged model of
its own: one that MLflow can load where runcast knows its flavor, else one of plain files.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from runcast.backends.mlflow import mlmodel, names, runs
from runcast.backends.mlflow.files import Content
from runcast.backends.mlflow.uris import Store
from runcast.plugins import OpenRun
from runcast.plugins.registry import Candidate
from runcast.records import FileRef, Model, RunStarted

IDENTITY = "runcast.version"
"""Tag of a version, and of a logged model that was made for it."""
_DIGEST = "runcast.digest"
_EXPERIMENT = "runcast-registry"
_READY = "READY"


def uploaded(client: Any, store: Store, base: Path, location: str | None, candidate: Candidate) -> Any:
    """The logged model that holds the candidate's files.

    Args:
        client: an ``mlflow.MlflowClient``.
        store: whose it is.
        base: folder that relative paths start at.
        location: of the files of an experiment that must be made, from the options.
        candidate: what is to be registered.
    """
    run_id = candidate.refs.get("mlflow")
    experiment = _experiment(client, store, base, location, candidate, run_id)
    known = logged_models(client, experiment)
    for model in known:
        if model.tags.get(IDENTITY) == candidate.identity:
            return _filled(client, model, candidate, run_id)
    for model in known:
        same = model.tags.get(_DIGEST) == candidate.digest and str(model.status) == _READY
        if run_id and model.source_run_id == run_id and same:
            return _filled(client, model, candidate, run_id)
    model = client.create_logged_model(
        experiment,
        name=names.model(candidate.name),
        source_run_id=run_id,
        tags={IDENTITY: candidate.identity, _DIGEST: candidate.digest},
        model_type=candidate.model.get("flavor") or "files",
    )
    _fill(client, model, candidate, run_id)
    return model


def logged_models(client: Any, experiment: str) -> list[Any]:
    """Every logged model of an experiment."""
    return every(lambda token: client.search_logged_models([experiment], page_token=token))


def every(search: Callable[[str | None], Any]) -> list[Any]:
    """All pages of a search, which takes a page's token."""
    page = search(None)
    found = list(page)
    while page.token:
        page = search(page.token)
        found += page
    return found


def _experiment(
    client: Any, store: Store, base: Path, location: str | None, candidate: Candidate, run_id: str | None
) -> str:
    if run_id:
        return str(client.get_run(run_id).info.experiment_id)
    started = RunStarted(
        time=candidate.time,
        run=candidate.run,
        experiment=candidate.experiment or _EXPERIMENT,
        name=candidate.name,
        base=str(base),
    )
    opened = OpenRun(id=candidate.run, started=started, folder=base, blobs=base)
    return runs.experiment_id(client, store, opened, location)


def _filled(client: Any, model: Any, candidate: Candidate, run_id: str | None) -> Any:
    """The model, whose files are there (again)."""
    wanted = {names.artifact_path(path) for path in _places(candidate).values()}
    if str(model.status) != _READY or not wanted <= _files(client, model.model_id):
        _fill(client, model, candidate, run_id)
    return model


def _files(client: Any, model_id: str) -> set[str]:
    """Paths of a logged model's files."""
    found: set[str] = set()
    folders: list[str | None] = [None]
    while folders:
        for entry in client.list_logged_model_artifacts(model_id, folders.pop()):
            if entry.is_dir:
                folders.append(entry.path)
            else:
                found.add(entry.path)
    return found


def _fill(client: Any, model: Any, candidate: Candidate, run_id: str | None) -> None:
    """Upload every file, again where some are there, and call the model ready."""
    with tempfile.TemporaryDirectory() as name:
        for path, content in _contents(candidate, model.model_id, run_id).items():
            place = PurePosixPath(names.artifact_path(path))
            staged = Path(name, place.name)
            if isinstance(content, bytes):
                staged.write_bytes(content)
            else:
                # Not a link: MLflow copies the mode too, and nobody could write into a read-only file again.
                shutil.copyfile(content, staged)
            parent = str(place.parent)
            client.log_model_artifact(model.model_id, str(staged), None if parent == "." else parent)
            staged.unlink()
    client.finalize_logged_model(model.model_id, _READY)


def _contents(candidate: Candidate, model_id: str, run_id: str | None) -> dict[str, Content]:
    described: dict[str, Content] = {}
    if candidate.model.get("flavor"):
        record = _record(candidate)
        size = sum(file.size for file in record.files)
        described = mlmodel.described(
            record, mlmodel.layout(record), model_id=model_id, run_id=run_id or "", size=size
        )
    return {**described, **{place: candidate.files[path] for path, place in _places(candidate).items()}}


def _places(candidate: Candidate) -> dict[str, str]:
    """Path of each file → where MLflow's loader looks for it."""
    made = mlmodel.layout(_record(candidate)).places if candidate.model.get("flavor") else {}
    return {path: made.get(path, path) for path in candidate.files}


def _record(candidate: Candidate) -> Model:
    files = [
        FileRef(path, candidate.digests[path], file.stat().st_size) for path, file in candidate.files.items()
    ]
    return Model(
        time=candidate.time, name=candidate.name, files=files, digest=candidate.digest, **candidate.model
    )
