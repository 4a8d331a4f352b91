"""MLflow on SQLite, read back with MLflow's own client."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast.backends.mlflow import MlflowBackend
from runcast.plugins import OpenRun
from runcast.testing import BackendContract, ReadBack

# MLflow's own client uses what SQLAlchemy 2.1 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
BOOKKEEPING = ("mlflow.", "runcast.")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """The URI of a store, and a client that knows nothing of the backend."""
    before = dict(os.environ)
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.search_experiments(max_results=1)
    yield uri, client
    for name in set(os.environ) - set(before):
        if name.startswith("MLFLOW_"):
            del os.environ[name]


class TestMlflow(BackendContract):
    """One store for all runs: making one takes seconds."""

    backend = MlflowBackend
    time_resolution = 1_000_000
    own_files = False
    url_option = "uri"
    examples = 6

    @pytest.fixture(autouse=True)
    def tracker(self, store: tuple[str, Any]) -> None:
        """The store, and MLflow's own client."""
        self.uri, self.client = store

    def options(self, tmp_path: Path) -> dict[str, Any]:
        """The one store."""
        return {"uri": self.uri}

    def read_back(self, run: OpenRun) -> ReadBack:
        """Slots first; texts by the residual that stands among the artifacts."""
        run_id = run.state["run_id"]
        found = self.client.get_run(run_id)
        tags = found.data.tags
        names = json.loads(tags.get("runcast.keymap", "{}"))
        files = self._files(run_id)
        params = dict(found.data.params)
        for tag, value in tags.items():
            if tag.startswith("runcast.param."):  # a later value of a param, which MLflow never changes
                params[tag.removeprefix("runcast.param.")] = value
        history = {key: self.client.get_metric_history(run_id, key) for key in found.data.metrics}
        return ReadBack(
            params={names.get(key, key): value for key, value in params.items()},
            metrics={
                names.get(key, key): [(m.step, m.timestamp * 1_000_000, m.value) for m in points]
                for key, points in history.items()
                if not key.startswith("system/")
            },
            tags={names.get(k, k): v for k, v in tags.items() if not k.startswith(BOOKKEEPING)},
            note=tags.get("mlflow.note.content", ""),
            texts=_texts(files),
            artifacts=_artifacts(files),
            status=tags.get("runcast.status", "") if found.info.status != "RUNNING" else "running",
            experiment=self.client.get_experiment(found.info.experiment_id).name,
            name=found.info.run_name,
            parent=tags.get("mlflow.parentRunId", ""),
        )

    def _files(self, run_id: str) -> dict[str, bytes]:
        if not self.client.list_artifacts(run_id):
            return {}
        root = Path(self.client.download_artifacts(run_id, ""))
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _texts(files: dict[str, bytes]) -> dict[str, list[tuple[int, str]]]:
    texts: dict[str, list[tuple[int, str]]] = {}
    for line in files.get("runcast/residual.jsonl", b"").splitlines():
        fact = json.loads(line)
        if fact["kind"] == "media" and fact.get("type", "text") == "text":
            text = files[fact["path"]].decode("utf-8", "surrogatepass")
            texts.setdefault(fact["key"], []).append((fact["step"], text))
    if "runcast/residual.jsonl" not in files:  # it comes with the run's end; until then the paths must do
        for path, content in files.items():
            kind, _, place = path.partition("/")
            if kind == "text":
                key, _, step = place.rpartition("/")
                texts.setdefault(key, []).append((int(Path(step).stem), content.decode()))
    return texts


def _artifacts(files: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {}
    for path, content in files.items():
        if path.startswith("runcast/artifacts/"):
            last = json.loads(content)[-1]
            found[last["name"]] = {f["path"]: files[f"{last['path']}/{f['as']}"] for f in last["files"]}
    return found
