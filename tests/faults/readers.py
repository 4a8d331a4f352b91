"""One run as each tracker's own reader shows it: its points, its end, and whether it is a crash."""

from __future__ import annotations

import json
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from runcast.courier.folder import DeliveryFolder

from ..conformance.leveldb import chunks
from .project import KEY, Project


class Seen(NamedTuple):
    """What a tracker holds.

    Attributes:
        count: points of the one metric, doubles included.
        points: (step, value) of each, where the tracker shows them; else of the last.
        status: the tracker's own word: ``failed`` for a crash, ``finished``, ``running``.
        word: runcast's own word for the end, where the tracker has a place for it.
    """

    count: int
    points: list[tuple[int, float]]
    status: str
    word: str


def read(project: Project, run: str, backend: str) -> Seen:
    """One run in one tracker, which must know it."""
    ref = DeliveryFolder(project.layout.delivery(run, backend)).load_cursor().ref
    assert ref is not None, f"run {run} never arrived in {backend}"
    return _READERS[backend](project, run, ref)


_clients: dict[Path, Any] = {}


def _mlflow(project: Project, run: str, ref: Any) -> Seen:
    from mlflow import MlflowClient

    if project.folder not in _clients:
        _clients.clear()
        _clients[project.folder] = MlflowClient(project.options["mlflow"]["uri"])
    client = _clients[project.folder]
    found = client.get_run(ref.id)
    points = [(m.step, m.value) for m in client.get_metric_history(ref.id, KEY)]
    word = found.data.tags.get("runcast.status", "")
    return Seen(len(points), points, found.info.status.lower(), word)


def history(server: str, run_id: str, key: str = KEY) -> list[tuple[int, float]]:
    """(step, value) of each point of a run on an MLflow server, by its REST interface."""
    query = urllib.parse.urlencode({"run_id": run_id, "metric_key": key})
    with urllib.request.urlopen(f"{server}/api/2.0/mlflow/metrics/get-history?{query}", timeout=20) as answer:
        return [(int(m.get("step", 0)), m["value"]) for m in json.load(answer)["metrics"]]


def _wandb(project: Project, run: str, ref: Any) -> Seen:
    from wandb.proto import wandb_internal_pb2 as pb

    (log,) = project.folder.glob(f"wandb/*/run-{run}.wandb")
    points, status, word = [], "running", ""
    for payload in chunks(log.read_bytes()):
        record = pb.Record()
        record.ParseFromString(payload)
        kind = record.WhichOneof("record_type")
        if kind == "history":
            row = {i.nested_key[0] if i.nested_key else i.key: i.value_json for i in record.history.item}
            if KEY in row:
                points.append((int(row["_step"]), float(json.loads(row[KEY]))))
        elif kind == "exit":
            status = "failed" if record.exit.exit_code else "finished"
        elif kind == "config":
            for item in record.config.update:
                if "runcast" in (item.key, *item.nested_key[:1]):
                    word = json.loads(item.value_json).get("status", word)
    return Seen(len(points), points, status, word)


def _tensorboard(project: Project, run: str, ref: Any) -> Seen:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(ref.url, size_guidance={"scalars": 0}).Reload()
    known = KEY in events.Tags()["scalars"]
    points = [(event.step, event.value) for event in events.Scalars(KEY)] if known else []
    ends = events.PluginTagToContent("hparams").get(metadata.SESSION_END_INFO_TAG)
    status = metadata.parse_session_end_info_plugin_data(ends).status if ends else 0
    return Seen(len(points), points, {1: "finished", 2: "failed"}.get(status, "running"), "")


def _local(project: Project, run: str, ref: Any) -> Seen:
    catalog = sqlite3.connect(f"file:{ref.url or project.layout.catalog}?mode=ro", uri=True)
    try:
        ((number, status, error),) = catalog.execute("SELECT n, status, error FROM runs WHERE id = ?", (run,))
        query = "SELECT count, step, last FROM metrics WHERE run = ? AND key = ?"
        rows = catalog.execute(query, (number, KEY)).fetchall()
    finally:
        catalog.close()
    count, points = (rows[0][0], [rows[0][1:]]) if rows else (0, [])
    ended = {"crashed": "failed"}.get(status, status)
    return Seen(count, points, ended, status if error or status != "crashed" else "crashed without a reason")


_READERS = {"mlflow": _mlflow, "wandb": _wandb, "tensorboard": _tensorboard, "local": _local}
