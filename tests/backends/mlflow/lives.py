"""Runs of the backend, read back through MLflow's own client or its HTTP interface."""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from runcast.backends.mlflow import MlflowBackend, MlflowOptions
from runcast.plugins import Change, OpenRun, Ref
from runcast.records import FileRef, Metrics, Record, RunFinished, RunStarted

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
_numbers = itertools.count(1)


class Life:
    """One run and what the courier keeps for it: state, folder, blobs. `open` is a new process."""

    def __init__(self, root: Path, uri: str, **fields: Any) -> None:
        self.root, self.uri = root, uri
        self.options: dict[str, Any] = {}
        self.id = fields.pop("id", f"run-{next(_numbers)}")
        self.state: dict[str, Any] = {}
        self.parent: Ref | None = fields.pop("parent_ref", None)
        self.folder = root / "folder" / self.id
        self.folder.mkdir(parents=True, exist_ok=True)
        fields = {"experiment": "digits", "name": "sgd", "user": "ada", "base": str(root), **fields}
        self.started = RunStarted(time=START, writer="w" * 16, seq=1, run=self.id, **fields)
        self.changes: list[Change] = []
        self.backend: MlflowBackend | None = None

    def open(self) -> Ref:
        """A fresh instance with the state as last saved."""
        self.backend = None
        backend = MlflowBackend(MlflowOptions(uri=self.uri, **self.options))
        run = OpenRun(
            id=self.id,
            started=self.started,
            folder=self.folder,
            blobs=self.root / "blobs",
            state=copy.deepcopy(self.state),
            parent=self.parent,
        )
        self._run = run
        ref = backend.open(run)
        self.backend = backend
        self.save()
        return ref

    def deliver(self, *batch: Record, ack: bool = True) -> list[Change]:
        """Deliver a batch; without `ack`, the process dies before the state is saved."""
        if self.backend is None:
            self.open()
        assert self.backend is not None
        changes = list(self.backend.deliver(batch).changes)
        self.changes += changes
        if ack:
            self.save()
        else:
            self.backend = None
        return changes

    def save(self) -> None:
        """What the courier does after each call that returned."""
        self.state = copy.deepcopy(self._run.state)

    def blob(self, path: str, content: bytes) -> FileRef:
        """A file of an artifact, its content among the blobs."""
        digest = hashlib.sha256(content).hexdigest()
        target = self.root / "blobs" / digest[:2] / digest
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.write_bytes(content)
            target.chmod(0o400)
        return FileRef(path=path, sha256=digest, size=len(content))

    def numbered(self, records: Sequence[Record], writer: str = "w" * 16) -> list[Record]:
        """The records with identities, as the journal's reader gives them."""
        return [
            msgspec.structs.replace(record, writer=writer, seq=number)
            for number, record in enumerate(records, start=2)
        ]

    def finished(self, status: Any = "finished", **fields: Any) -> RunFinished:
        """The last record."""
        return RunFinished(time=START + 60 * SECOND, status=status, **fields)


def metrics(step: int, *, at: int | None = None, **values: Any) -> Metrics:
    """A metrics record, one second after the one before by default."""
    return Metrics(time=START + step * SECOND if at is None else at, step=step, values=values)


class Store:
    """A SQLite store read through MLflow's own client, which knows nothing of the backend."""

    def __init__(self, uri: str) -> None:
        from mlflow import MlflowClient

        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def runs(self, experiment: str = "digits") -> list[Any]:
        """Every run of an experiment."""
        found = self.client.get_experiment_by_name(experiment)
        return [] if found is None else list(self.client.search_runs([found.experiment_id], max_results=500))

    def run(self, experiment: str = "digits") -> Any:
        """The only run of an experiment."""
        (run,) = self.runs(experiment)
        return self.client.get_run(run.info.run_id)

    def points(self, key: str, experiment: str = "digits") -> list[tuple[int, int, float]]:
        """(step, ms, value) of one metric, in MLflow's order."""
        run_id = self.run(experiment).info.run_id
        return [(m.step, m.timestamp, m.value) for m in self.client.get_metric_history(run_id, key)]

    def files(self, experiment: str = "digits") -> dict[str, bytes]:
        """Every artifact file of the only run."""
        run_id = self.run(experiment).info.run_id
        if not self.client.list_artifacts(run_id):
            return {}
        root = Path(self.client.download_artifacts(run_id, ""))
        return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}

    def everything(self, experiment: str = "digits") -> dict[str, Any]:
        """All that a reader can see, but for when MLflow itself was touched."""
        run = self.run(experiment)
        return {
            "info": {k: v for k, v in dict(run.info).items() if k != "artifact_uri"},
            "params": run.data.params,
            "tags": run.data.tags,
            "points": {key: repr(self.points(key, experiment)) for key in sorted(run.data.metrics)},
            "files": self.files(experiment),
        }
