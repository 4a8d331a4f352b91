"""The old file store, a folder such as ``mlruns``, which MLflow 3 no longer opens: its files, read directly.

``<experiment>/<run>/`` holds ``meta.yaml``, and a file for each metric (a line ``ms value step`` for each
point), param and tag, in folders of these names; a ``/`` in a name is one more folder. A line may have two
fields (no step, long ago) or more than three (a dataset). ``models/`` beside the experiments is the registry.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runcast.backends.mlflow.runs import RUN_ID
from runcast.errors import ConfigError, SourceError
from runcast.sources.mlflow import files
from runcast.sources.mlflow.registry import RegisteredModel, Version
from runcast.sources.mlflow.spool import Spool
from runcast.sources.mlflow.stored import (
    FEW,
    OUTSIDE,
    Dataset,
    LoggedModel,
    Point,
    Reader,
    StoredRun,
    StoredTrace,
    Trouble,
    outside,
)  # fmt: skip

_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_REGISTRY = "models"
_SPANS = Path("artifacts", "traces.json")


class FolderReader(Reader):
    """Reads a folder.

    Raises:
        ConfigError: it holds no experiment.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        if not root.is_dir():
            raise ConfigError(f"{root} is no folder: name one that MLflow wrote, such as mlflow:./mlruns")
        if not list(root.glob("*/meta.yaml")):
            raise ConfigError(f"{root} is no file store of MLflow's: no folder in it has a meta.yaml")

    def runs(self, experiment: Callable[[str], bool], ids: tuple[str, ...]) -> Iterator[StoredRun]:
        """See `Reader.runs`."""
        found = []
        for folder, name in self._experiments():
            if experiment(name):
                found += [self._run(path.parent, name) for path in sorted(_runs(folder, ids))]
        yield from sorted((run for run in found if run is not None), key=lambda run: (run.start or 0, run.id))

    def outside(self, experiment: Callable[[str], bool]) -> Iterator[StoredRun]:
        """See `Reader.outside`."""
        for folder, name in self._experiments():
            looks = [(path.name, self._started(path)) for path in self._loose_traces(folder)]
            looks += [
                (path.parent.name, _whole(about, "creation_timestamp", path) or 0)
                for path, about in self._models(folder)
                if not about.get("source_run_id") and not list(path.parent.glob("tags/runcast.*"))
            ]
            if experiment(name) and looks:
                yield outside(folder.name, name, [time for _, time in looks], f"{len(looks)} {max(looks)}")

    def _experiments(self) -> Iterator[tuple[Path, str]]:
        for folder in sorted(self._root.iterdir()):
            if folder.name not in (".trash", _REGISTRY) and (folder / "meta.yaml").is_file():
                about = _yaml(folder / "meta.yaml", "name")
                if about.get("lifecycle_stage") != "deleted":
                    yield folder, str(about["name"])

    def _models(self, folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Logged models of an experiment: the file that tells of each, and what it says."""
        for path in sorted((folder / "models").glob("*/meta.yaml")):
            about = _yaml(path, "name")
            if about.get("lifecycle_stage") != "deleted":
                yield path, about

    def _loose_traces(self, folder: Path) -> list[Path]:
        return [
            path
            for path in sorted((folder / "traces").glob("*"))
            if (path / _SPANS).is_file() and not _texts(path / "request_metadata").get("mlflow.sourceRun")
        ]

    def _started(self, trace: Path) -> int:
        """In ms, of the earliest span."""
        starts = [
            span.get("start_time_unix_nano") or span.get("start_time") for span in _spans(trace / _SPANS)
        ]
        return min((int(start) for start in starts if start), default=0) // 1_000_000

    def _run(self, folder: Path, experiment: str) -> StoredRun | None:
        about = _yaml(folder / "meta.yaml")
        if about.get("lifecycle_stage") == "deleted" or "artifact_uri" not in about:
            return None
        status = _whole(about, "status", folder) or 1
        tags = _texts(folder / "tags")
        # Beside the run first: the store may have been moved since.
        here = folder / "artifacts"
        run = StoredRun(
            id=folder.name, experiment_id=folder.parent.name, experiment=experiment,
            name=str(about.get("run_name") or tags.get("mlflow.runName") or ""),
            status=_STATUS.get(status, str(status)),
            start=_whole(about, "start_time", folder), end=_whole(about, "end_time", folder),
            files=str(here) if here.is_dir() else str(about["artifact_uri"]),
            user=str(about.get("user_id") or ""), tags=tags,
        )  # fmt: skip
        looks = [path.stat() for path in sorted(folder.rglob("*")) if path.is_file()]
        run.change = " ".join(f"{look.st_size}:{look.st_mtime_ns}" for look in looks)
        return run

    def _folder(self, run: StoredRun) -> Path:
        return self._root / run.experiment_id / run.id

    def params(self, run: StoredRun) -> dict[str, str]:
        """See `Reader.params`."""
        return _texts(self._folder(run) / "params")

    def points(self, run: StoredRun, trouble: Trouble) -> Iterator[Point]:
        """See `Reader.points`."""
        folder = self._folder(run) / "metrics"
        with Spool(4) as spool:
            for path in _below(folder):
                spool.fill(_lines(path, path.relative_to(folder).as_posix(), trouble))
            for ms, step, key, value in spool.sorted(2):
                # SQLite has no NaN: it stores none as null.
                yield ms, step, key, float("nan") if value is None else value

    def datasets(self, run: StoredRun) -> list[Dataset]:
        """See `Reader.datasets`."""
        found = []
        for path in sorted((self._folder(run) / "inputs").glob("*/meta.yaml")):
            about = _yaml(path, "destination_id")
            place = self._root / run.experiment_id / "datasets" / str(about["destination_id"]) / "meta.yaml"
            if about.get("destination_type", "RUN") == "RUN" and place.is_file():
                data = _yaml(place, "name", "digest")
                found.append(
                    Dataset(
                        name=str(data["name"]), digest=str(data["digest"]),
                        source_type=str(data.get("source_type") or ""), source=str(data.get("source") or ""),
                        schema=data.get("schema"), profile=data.get("profile"),
                        tags=_named(about, "tags"),
                    )
                )  # fmt: skip
        return found

    def models(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.models`."""
        found = []
        outputs = self._folder(run) / "outputs"
        maker = None if run.outside else run.id
        for path, about in self._models(self._root / run.experiment_id):
            if (about.get("source_run_id") or None) == maker:
                linked = outputs / path.parent.name / "meta.yaml"
                model = _model(about, path.parent)
                model.step = (_whole(_yaml(linked), "step", linked) or 0) if linked.is_file() else 0
                found.append(model)
        return found

    def used(self, run: StoredRun) -> list[LoggedModel]:
        """See `Reader.used`."""
        found = []
        for path in sorted((self._folder(run) / "inputs").glob("*/meta.yaml")):
            about = _yaml(path, "destination_id")
            if about.get("destination_type") == "MODEL_INPUT":
                for place in self._root.glob(
                    f"*/models/{glob.escape(str(about['destination_id']))}/meta.yaml"
                ):
                    found.append(_model(_yaml(place, "name"), place.parent))
        return found

    def maker(self, model: str) -> str | None:
        """See `Reader.maker`."""
        for path in self._root.glob(f"*/models/{glob.escape(model)}/meta.yaml"):
            return _maker(_yaml(path, "name"), path.parent)
        return None

    def traces(self, run: StoredRun) -> Iterator[StoredTrace]:
        """See `Reader.traces`."""
        maker = None if run.outside else run.id
        for folder in sorted((self._root / run.experiment_id / "traces").glob("*")):
            metadata = _texts(folder / "request_metadata")
            spans = folder / _SPANS
            if (metadata.get("mlflow.sourceRun") or None) == maker and spans.is_file():
                yield StoredTrace(
                    id=folder.name,
                    started=run.start or 0,
                    tags=_texts(folder / "tags"),
                    metadata=metadata,
                    spans=_spans(spans),
                )

    def files(self, place: str) -> files.Files:
        """See `Reader.files`."""
        return files.at(place, self._root.parent, None)

    def run_of(self, runcast: str) -> str | None:
        """See `Reader.run_of`."""
        for path in self._root.glob(f"*/*/tags/{RUN_ID}"):
            if path.read_text() == runcast:
                return path.parent.parent.name
        return None

    def place_of_run(self, id: str) -> str:
        """See `Reader.place_of_run`."""
        return next((str(path) for path in self._root.glob(f"*/{glob.escape(id)}/artifacts")), "")

    def place_of_model(self, id: str) -> str:
        """See `Reader.place_of_model`."""
        return next((str(path) for path in self._root.glob(f"*/models/{glob.escape(id)}/artifacts")), "")

    def registered(self) -> Iterator[RegisteredModel]:
        """See `Reader.registered`."""
        for path in sorted((self._root / _REGISTRY).glob("*/meta.yaml")):
            about, folder = _yaml(path, "name"), path.parent
            aliases = {**_named(about, "aliases"), **_texts(folder / "aliases")}
            yield RegisteredModel(
                name=str(about["name"]),
                description=str(about.get("description") or ""),
                created=_whole(about, "creation_timestamp", folder) or 0,
                tags=_texts(folder / "tags"),
                aliases={name: _whole(aliases, name, folder) or 0 for name in aliases},
                versions=sorted(
                    (v for v in map(_version, folder.glob("version-*/meta.yaml")) if v.stage != _DELETED),
                    key=lambda v: v.version,
                ),
            )


_DELETED = "Deleted_Internal"
"""What MLflow calls the stage of a deleted version, whose number it keeps."""


def _version(path: Path) -> Version:
    about = _yaml(path, "version")
    return Version(
        version=_whole(about, "version", path) or 0,
        source=str(about.get("source") or ""), run=about.get("run_id") or None,
        stage=str(about.get("current_stage") or "None"), description=str(about.get("description") or ""),
        created=_whole(about, "creation_timestamp", path) or 0, status=str(about.get("status") or ""),
        tags=_texts(path.parent / "tags"),
    )  # fmt: skip


def _below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _texts(folder: Path) -> dict[str, str]:
    """Name → whole content, of each file below a folder."""
    texts = {}
    for path in _below(folder):
        # As bytes: reading text would turn the line ends of other systems into this one's.
        texts[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8", "replace")
    return texts


def _lines(path: Path, key: str, trouble: Trouble) -> Iterator[tuple[int, int, str, float]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            fields = line.split()
            try:
                ms, value = int(fields[0]), float(fields[1])
                step = int(fields[2]) if len(fields) > 2 else 0
                if not all(-(2**63) <= whole < 2**63 for whole in (ms, step)):
                    raise ValueError(ms, step)
            except (IndexError, ValueError):
                if fields:
                    trouble(key, f"line {number} of {path} is no point: {line[:80]!r}")
                continue
            yield ms, step, key, value


def _runs(folder: Path, ids: tuple[str, ...]) -> list[Path]:
    """What describes the runs of an experiment: all, or those with these ids."""
    if 0 < len(ids) <= FEW:
        paths = [folder / id_ / "meta.yaml" for id_ in ids if id_ == Path(id_).name]
        return [path for path in paths if path.is_file()]
    return [path for path in folder.glob("*/meta.yaml") if not ids or path.parent.name in ids]


def _yaml(path: Path, *needs: str) -> dict[str, Any]:
    import msgspec.yaml

    try:
        about = msgspec.yaml.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise SourceError(f"{path} cannot be read ({error})") from error
    if not isinstance(about, dict):
        raise SourceError(f"{path} is damaged: it describes nothing")
    if missing := [key for key in needs if key not in about]:
        raise SourceError(f"{path} is damaged: it has no {missing[0]}")
    return about


def _whole(about: dict[str, Any], key: str, path: Path) -> int | None:
    """A whole number that may not be there."""
    value = about.get(key)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{path} is damaged: {key} is {value!r:.80}, which is no whole number") from error


def _named(about: dict[str, Any], key: str) -> dict[str, str]:
    """Name → text; what is no mapping has none."""
    found = about.get(key)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _spans(path: Path) -> list[Any]:
    try:
        found = json.loads(path.read_bytes())["spans"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise SourceError(f"{path} is damaged: it holds no spans") from error
    return found if isinstance(found, list) else []


def _maker(about: dict[str, Any], folder: Path) -> str:
    return str(about.get("source_run_id") or f"{OUTSIDE}{folder.parent.parent.name}")


def _model(about: dict[str, Any], folder: Path) -> LoggedModel:
    return LoggedModel(
        id=folder.name, name=str(about["name"]), created=_whole(about, "creation_timestamp", folder) or 0,
        files=str(folder / "artifacts"), run=_maker(about, folder),
        type=about.get("model_type"), params=_texts(folder / "params"), tags=_texts(folder / "tags"),
    )  # fmt: skip
