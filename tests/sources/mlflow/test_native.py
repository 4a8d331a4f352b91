"""Runs that MLflow's own client wrote, in its databases, its old folders and over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import math
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast.errors import AwayError, ConfigError, SourceError
from runcast.journal import Blobs
from runcast.plugins.source import FoundRun, Selection
from runcast.records import (
    Artifact,
    Environment,
    Input,
    Lost,
    Media,
    Metrics,
    Model,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Tags,
    Trace,
)
from runcast.sources.mlflow import MlflowSource

from ...faults.proxy import network, refusal

MS = 1_700_000_000_000


def all_of(records: list[Record], kind: type) -> list[Any]:
    """Records of one kind."""
    return [record for record in records if isinstance(record, kind)]


def read(address: str, tmp_path: Path, selection: Selection | None = None) -> dict[str, list[Record]]:
    """Name of each run → its records."""
    source = MlflowSource(address)
    blobs = Blobs(tmp_path / "read")
    try:
        return {run.name: list(source.read(run, blobs)) for run in source.runs(selection or Selection())}
    finally:
        source.close()


def state(folder: Path) -> dict[str, str]:
    """Digest of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def fluent(database: Callable[..., Path]) -> Iterator[Path]:
    """A database that MLflow's module-level functions write to."""
    import mlflow

    path = database()
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    mlflow.set_registry_uri(f"sqlite:///{path}")
    location = str(path.parent / "mlruns")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("digits", artifact_location=location))
    yield path
    mlflow.end_run()
    mlflow.set_tracking_uri(None)
    mlflow.set_registry_uri(None)


# MLflow, and pandas below it, warn of themselves while they write.
noisy = pytest.mark.filterwarnings("ignore::Warning")


@noisy
def test_what_people_log(fluent: Path, tmp_path: Path) -> None:
    """Params, histories, tags, images, tables, files, datasets, traces; and nothing in the store changes."""
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient

    with mlflow.start_run(run_name="outer", description="why"):
        mlflow.log_params({"lr": 0.1, "opt": "sgd"})
        for step in range(3):
            mlflow.log_metrics({"loss": 1 / (step + 1), "acc": step / 2}, step=step)
        mlflow.log_metric("odd", math.nan, step=-7)
        mlflow.set_tag("team", "a")
        mlflow.log_image(np.zeros((4, 5, 3), np.uint8), key="val/im", step=3, timestamp=MS)
        mlflow.log_table({"a": [1, 2], "b": ["x", None]}, "t.json")
        mlflow.log_text("deep", "conf/a/x.txt")
        mlflow.log_text("loose", "top.txt")
        frame = mlflow.data.from_pandas(pd.DataFrame({"a": [1.5]}), name="ds")
        mlflow.log_input(frame, context="training")
        with mlflow.start_span("ask", span_type="CHAIN") as span:
            span.set_inputs({"q": 1})
            with mlflow.start_span("llm", span_type="LLM"):
                pass
        with mlflow.start_run(nested=True, run_name="inner"):
            mlflow.log_metric("x", 1.0)
    mlflow.flush_trace_async_logging()
    gone = MlflowClient().create_run("1", run_name="gone")
    MlflowClient().delete_run(gone.info.run_id)
    before = state(fluent.parent)

    runs = read(f"sqlite:///{fluent}", tmp_path)

    assert state(fluent.parent) == before
    assert set(runs) == {"outer", "inner"}
    records = runs["outer"]
    first, last = records[0], records[-1]
    assert isinstance(first, RunStarted)
    assert (first.experiment, first.name, first.origin["tracker"]) == ("digits", "outer", "mlflow")
    assert isinstance(last, RunFinished)
    assert last.status == "finished"
    assert [note.text for note in all_of(records, Note)] == ["why"]
    (params,) = all_of(records, Params)
    assert params.values == {"lr": "0.1", "opt": "sgd"}
    (tags,) = all_of(records, Tags)
    assert tags.values["team"] == "a"
    metrics = all_of(records, Metrics)
    assert [(m.step, m.values) for m in metrics if "loss" in m.values] == [
        (step, {"acc": step / 2, "loss": 1 / (step + 1)}) for step in range(3)
    ]
    (odd,) = [m for m in metrics if "odd" in m.values]
    assert math.isnan(odd.values["odd"])
    assert odd.step == -7
    image, table = sorted(all_of(records, Media), key=lambda media: media.type)
    assert (image.key, image.step, image.time, image.data) == (
        "val/im", 3, MS * 10**6, {"items": [{"width": 5, "height": 4}]},
    )  # fmt: skip
    assert (table.key, table.data) == ("t", {"rows": 2, "columns": 2})
    files = {a.name: [f.path for f in a.files] for a in all_of(records, Artifact)}
    assert files == {"conf": ["a/x.txt"], "files": ["top.txt"]}
    (dataset,) = all_of(records, Input)
    assert (dataset.name, dataset.context) == ("ds", "training")
    assert dataset.metadata["schema"] == [{"type": "double", "name": "a", "required": True}]
    (trace,) = all_of(records, Trace)
    assert [(s.name, s.type, s.parent is None) for s in trace.spans] == [
        ("ask", "chain", True),
        ("llm", "llm", False),
    ]
    assert trace.spans[0].inputs == {"q": 1}
    assert all_of(records, Environment)[0].values["source"] == {"type": "LOCAL"}
    assert not all_of(records, Lost)
    (child,) = [r for r in runs["inner"] if isinstance(r, RunStarted)]
    assert child.parent == first.origin["id"]


@noisy
def test_models_and_the_registry(fluent: Path, tmp_path: Path) -> None:
    """What scikit-learn's autologging leaves; a logged model with its files; versions and aliases."""
    import mlflow
    import numpy as np
    from mlflow import MlflowClient
    from mlflow.models import infer_signature
    from sklearn.linear_model import LogisticRegression

    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run(run_name="auto") as run:
        model = LogisticRegression(C=2.0).fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
        mlflow.sklearn.log_model(
            model, name="clf", registered_model_name="digits-clf", pip_requirements=["scikit-learn"],
            signature=infer_signature(np.array([[0.5]]), np.array([1])),
        )  # fmt: skip
    mlflow.sklearn.autolog(disable=True)
    client = MlflowClient()
    client.set_registered_model_alias("digits-clf", "best", "1")
    client.set_model_version_tag("digits-clf", "1", "ok", "yes")

    records = read(f"sqlite:///{fluent}", tmp_path)["auto"]
    source = MlflowSource(f"sqlite:///{fluent}")
    (registered,) = source.registered()
    source.close()

    assert all_of(records, Params)[0].values["C"] == "2.0"
    assert "training_accuracy_score" in {key for m in all_of(records, Metrics) for key in m.values}
    (found,) = all_of(records, Model)
    assert (found.name, found.flavor) == ("clf", "sklearn")
    assert "scikit-learn" in found.requirements
    assert {"MLmodel", "requirements.txt"} <= {file.path for file in found.files}
    assert found.signature is not None
    assert set(found.signature) >= {"inputs", "outputs"}
    assert found.data["file"].startswith("model.")
    (version,) = registered.versions
    assert (registered.name, version.version, version.aliases) == ("digits-clf", 1, ["best"])
    assert (version.ref, version.tags) == (run.info.run_id, {"ok": "yes"})


def test_more_runs_than_a_page(database: Callable[..., Path], tmp_path: Path) -> None:
    """1,200 runs in one experiment are 1,200 runs; a glob and ids choose among them."""
    import sqlite3

    path = database()
    connection = sqlite3.connect(path)
    runs = [
        (
            f"{n:032x}",
            f"r{n}",
            "UNKNOWN",
            "",
            "",
            "ada",
            "FINISHED",
            MS + n,
            MS + n + 1,
            "",
            "active",
            "",
            0,
            None,
        )
        for n in range(1200)
    ]
    marks = ", ".join("?" * 14)
    connection.executemany(f"insert into runs values ({marks})", runs)  # noqa: S608  # marks only
    connection.commit()
    connection.close()
    source = MlflowSource(f"sqlite:///{path}")

    found = list(source.runs(Selection()))

    assert [run.name for run in found] == [f"r{n}" for n in range(1200)]
    assert len({run.version for run in found}) == 1200
    chosen = source.runs(Selection(runs=(found[7].id,), experiment="Def*"))
    assert [run.name for run in chosen] == ["r7"]
    assert list(source.runs(Selection(since=(MS + 1199) * 10**6))) == found[1199:]
    assert list(source.runs(Selection(experiment="nope"))) == []
    source.close()


def file_store(root: Path) -> Path:
    """A file store as MLflow 2 left them: duplicates, a dataset in a line, no step, infinities."""
    run = root / "7" / ("a" * 32)
    (run / "metrics" / "val").mkdir(parents=True)
    (run / "params").mkdir()
    (run / "tags").mkdir()
    (run / "artifacts" / "plots").mkdir(parents=True)
    about = f"artifact_location: file://{root}/7\nexperiment_id: '7'\nlifecycle_stage: active\nname: old\n"
    (root / "7" / "meta.yaml").write_text(about)
    (run / "meta.yaml").write_text(
        f"artifact_uri: file://{run}/artifacts\nend_time: {MS + 9000}\nexperiment_id: '7'\n"
        f"lifecycle_stage: active\nrun_id: {run.name}\nrun_name: veteran\nstart_time: {MS}\nstatus: 4\n"
        "user_id: ada\n"
    )
    lines = [f"{MS} 1.5 0", f"{MS} 1.5 0", f"{MS + 5} nan 1", f"{MS + 5} -inf 2", f"{MS + 9} 0.25 7 ds abc"]
    (run / "metrics" / "loss").write_text("\n".join(lines) + "\n")
    (run / "metrics" / "val" / "acc").write_text(f"{MS} 0.5\ngarbage\n")
    (run / "params" / "lr").write_text("0.1")
    (run / "tags" / "text").write_bytes(b"a\r\nb")
    (run / "artifacts" / "plots" / "p.txt").write_text("p")
    deleted = root / "7" / ("b" * 32)
    deleted.mkdir()
    gone = (
        (run / "meta.yaml").read_text().replace("stage: active", "stage: deleted").replace("a" * 32, "b" * 32)
    )
    (deleted / "meta.yaml").write_text(gone)
    (root / ".trash" / "8").mkdir(parents=True)
    (root / ".trash" / "8" / "meta.yaml").write_text(about)
    version = root / "models" / "m" / "version-2"
    (version / "tags").mkdir(parents=True)
    (root / "models" / "m" / "aliases").mkdir()
    (root / "models" / "m" / "aliases" / "best").write_text("2")
    (root / "models" / "m" / "meta.yaml").write_text("name: m\ncreation_timestamp: 1\ndescription: d\n")
    (version / "meta.yaml").write_text("version: 2\nsource: s\ncurrent_stage: Production\nrun_id: r\n")
    (version / "tags" / "k").write_text("v")
    return root


def test_file_store(tmp_path: Path) -> None:
    """The folder that MLflow 3 refuses: every point, duplicates too; a line that is none is told."""
    root = file_store(tmp_path / "mlruns")
    before = state(root)
    source = MlflowSource(str(root))
    (run,) = source.runs(Selection())
    records = list(source.read(run, Blobs(tmp_path / "blobs")))

    assert state(root) == before
    points = [
        (r.time // 10**6 - MS, r.step, key, repr(value))
        for r in all_of(records, Metrics)
        for key, value in r.values.items()
    ]
    assert points == [
        (0, 0, "loss", "1.5"), (0, 0, "val/acc", "0.5"), (0, 0, "loss", "1.5"), (5, 1, "loss", "nan"),
        (5, 2, "loss", "-inf"), (9, 7, "loss", "0.25"),
    ]  # fmt: skip
    assert (run.name, run.experiment, run.status) == ("veteran", "old", "failed")
    assert all_of(records, Params)[0].values == {"lr": "0.1"}
    assert all_of(records, Tags)[0].values == {"text": "a\r\nb"}
    assert [a.name for a in all_of(records, Artifact)] == ["plots"]
    (lost,) = all_of(records, Lost)
    assert "line 2" in lost.reason
    (registered,) = source.registered()
    assert (registered.versions[0].aliases, registered.versions[0].stage) == (["best"], "production")
    assert registered.versions[0].tags == {"k": "v"}


@noisy
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sqlite_master SET name = CAST(x'80' AS TEXT), sql = 'broken' WHERE name = 'runs'",
        "UPDATE runs SET start_time = 'soon'",
        "UPDATE runs SET name = CAST(x'80' AS TEXT)",
        "UPDATE metrics SET step = 'x'",
        "UPDATE spans SET content = '{broken'",
    ],
)
def test_damaged_values_are_told(fluent: Path, tmp_path: Path, damage: str) -> None:
    """SQLite holds anything anywhere; it is the source's own error, with the place, never another one."""
    import mlflow

    with mlflow.start_run():
        mlflow.log_metric("loss", 0.5, step=1)
        with mlflow.start_span("call"):
            pass
    mlflow.flush_trace_async_logging()
    with contextlib.closing(sqlite3.connect(fluent, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        assert connection.execute(damage).rowcount

    with pytest.raises((SourceError, ConfigError), match=r"mlflow\.db"):
        read(f"sqlite:///{fluent}", tmp_path)


def test_no_folder_and_no_run(tmp_path: Path, database: Callable[..., Path]) -> None:
    """An empty folder is no store; a run that was deleted meanwhile is named."""
    (tmp_path / "mlruns").mkdir()
    with pytest.raises(ConfigError, match=r"no folder in it has a meta\.yaml"):
        list(MlflowSource(str(tmp_path / "mlruns")).runs(Selection()))
    source = MlflowSource(f"sqlite:///{database()}")
    with pytest.raises(SourceError, match="run abc is not in"):
        list(source.read(FoundRun(id="abc", experiment="e", name="n"), Blobs(tmp_path / "b")))
    source.close()


def test_identity_has_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One store has one identity, however it is written; a password is in none."""
    monkeypatch.chdir(tmp_path)
    assert MlflowSource("sqlite:///x.db").identity == f"sqlite:///{tmp_path.resolve()}/x.db"
    assert MlflowSource("postgresql+psycopg://u:secret@Host:5/db").identity == "postgresql://host:5/db"
    assert MlflowSource("https://u:secret@Host/a/").identity == "https://host/a"
    assert MlflowSource("./mlruns").identity == f"{tmp_path.resolve()}/mlruns"


def test_a_server_that_stays_away_is_asked_once_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first question is asked four times; while it is in vain, each further one once."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with network(9) as net:
        source = MlflowSource(net.uri)
        for asked in (4, 5, 6):
            net.canned.extend([refusal(502)] * 4)
            with pytest.raises(AwayError, match="too many 502"):
                list(source.runs(Selection()))
            assert net.requests == asked
            net.canned.clear()
        nothing = (200, {}, b"{}")
        net.canned.extend([nothing] * 2)  # experiments are asked for twice
        assert list(source.runs(Selection())) == []
        net.canned.extend([refusal(502)] * 3 + [nothing] * 2)
        assert list(source.runs(Selection())) == []
        assert net.requests == 6 + 2 + 5


def test_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told in few words, without the password."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with pytest.raises(AwayError, match=r"does not answer \(Connection refused\)") as caught:
        list(MlflowSource("http://u:secret@127.0.0.1:9").runs(Selection()))
    assert "secret" not in str(caught.value)
