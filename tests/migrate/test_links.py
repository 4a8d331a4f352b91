"""What points from one thing to another still does after a migration, and the map of ids names both ends."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runcast.migrate import ids, migrate, prepare
from runcast.migrate.verify import verify

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]

_WRITTEN = """
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Link, LoggedModelInput

class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[str], params=None):
        return model_input

@mlflow.trace
def answer(question, after=None):
    if after is not None:
        mlflow.get_current_active_span().add_link(Link(after.trace_id, after.span_id, {"why": "again"}))
    return question + "!"

mlflow.set_experiment("digits")
with mlflow.start_run(run_name="train"):
    model = mlflow.pyfunc.log_model(name="echo", python_model=Echo(), params={"depth": "3"}).model_id
    mlflow.log_metric("acc", 0.5, step=1, model_id=model)
    with mlflow.start_run(run_name="inner", nested=True):
        answer("a")
        first = mlflow.get_trace(mlflow.get_last_active_trace_id()).data.spans[0]
with mlflow.start_run(run_name="evaluate") as run:
    MlflowClient().log_inputs(run.info.run_id, models=[LoggedModelInput(model)])
    mlflow.set_active_model(model_id=model)
    answer("b", first)
    trace = mlflow.get_last_active_trace_id()
    mlflow.log_feedback(trace_id=trace, name="good", value=0.75, rationale="because")
    mlflow.log_expectation(trace_id=trace, name="expected", value={"is": "b!"})
    mlflow.set_trace_tag(trace, "kind", "check")
mlflow.register_model(f"models:/{model}", "echo")
"""
_OUTSIDE = """
import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput

@mlflow.trace
def answer(question):
    return question + "!"

mlflow.set_experiment("digits")
agent = mlflow.create_external_model(name="agent", params={"depth": "2"}).model_id
answer("nobody")
mlflow.set_active_model(model_id=agent)
answer("agent")
with mlflow.start_run(run_name="judge") as run:
    MlflowClient().log_inputs(run.info.run_id, models=[LoggedModelInput(agent)])
"""
_ADDED = """
import mlflow

@mlflow.trace
def answer(question):
    return question + "!"

mlflow.set_experiment("digits")
[run] = mlflow.search_runs(filter_string="run_name = 'inner'", output_format="list")
with mlflow.start_run(run_id=run.info.run_id):
    answer("c")
    mlflow.set_trace_tag(mlflow.get_last_active_trace_id(), "mine", "yes")
    mlflow.create_external_model(name="second", source_run_id=run.info.run_id)
[judged] = [t for t in mlflow.search_traces(return_type="list") if "kind" in t.info.tags]
mlflow.set_trace_tag(judged.info.trace_id, "kind", "again")
mlflow.log_feedback(trace_id=judged.info.trace_id, name="later", value="fine")
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow's own client wrote: runs, a model, traces, and all that points among them."""
    home = tmp_path_factory.mktemp("written")
    place = f"sqlite:///{home}/src.db"
    said(place, _WRITTEN)
    return home / "src.db"


def said(place: str, script: str) -> None:
    """Run a script as somebody who uses MLflow, and nothing of runcast."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": place,
        "MLFLOW_REGISTRY_URI": place,
        "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    }
    home = Path(place.removeprefix("sqlite:///")).parent
    subprocess.run([sys.executable, "-c", script], env=environment, cwd=home, check=True, capture_output=True)


def seen(database: Path) -> tuple[dict[str, Any], Any]:
    """What MLflow's client finds, with names in the place of ids; and the client."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{database}", f"sqlite:///{database}")
    [experiment] = [e.experiment_id for e in client.search_experiments() if e.name == "digits"]
    runs = [client.get_run(run.info.run_id) for run in client.search_runs([experiment])]
    names = {run.info.run_id: run.info.run_name for run in runs}
    models = {model.model_id: model for model in client.search_logged_models([experiment])}
    names |= {id_: model.name for id_, model in models.items()}
    found: dict[str, Any] = {
        "parents": {
            names[run.info.run_id]: names[run.data.tags["mlflow.parentRunId"]]
            for run in runs
            if "mlflow.parentRunId" in run.data.tags
        },
        "inputs": {
            names[run.info.run_id]: [names[one.model_id] for one in run.inputs.model_inputs] for run in runs
        },
        "outputs": {
            names[run.info.run_id]: [names[one.model_id] for one in (run.outputs or run).model_outputs]
            for run in runs
            if run.outputs
        },
        "models": [
            (model.name, names[model.source_run_id], model.params, model.model_type,
             [(m.key, m.value, m.step, names[m.run_id]) for m in model.metrics or ()])
            for model in sorted(models.values(), key=lambda model: model.name)
        ],
        "versions": [
            (version.name, names[version.run_id]) for version in client.search_model_versions()
        ],
        "traces": {},
    }  # fmt: skip
    for trace in client.search_traces(locations=[experiment]):
        said, info = trace.info.trace_metadata, trace.info
        found["traces"][info.trace_id] = (
            names[said["mlflow.sourceRun"]], names.get(said.get("mlflow.modelId", "")),
            {k: v for k, v in info.tags.items() if k in ("kind", "mlflow.traceName")},
            sorted((a.name, getattr(a, "value", None), a.rationale, a.create_time_ms, a.assessment_id)
                   for a in info.assessments),
            [(s.name, s.inputs, s.outputs, [link.to_dict() for link in s.links]) for s in trace.data.spans],
        )  # fmt: skip
    return found, client


def bring(source: str, dest: str) -> Any:
    """Migrate everything; the plan, after a verification of all of it."""
    plan = prepare(source, dest)
    progress = migrate(plan)
    assert [entry.reason for entry in plan.manifest.runs.values()] == [""] * progress.runs
    assert [result for result in verify(plan) if not result.ok] == []
    return plan


@pytest.mark.parametrize(
    "between", ["mlflow:sqlite:///{}/b.db", "wandb:{}/wandb", "tensorboard:{}/tb", "local:{}/b"]
)
def test_links_arrive_and_come_home(
    between: str, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parents, models that were made and used, traces of runs and models, and what people thought of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    there = between.format(tmp_path)
    before, old = seen(written)
    assert before["inputs"]["evaluate"] == ["echo"]
    assert [links for trace in before["traces"].values() for *_, links in trace[-1] if links]
    assert [trace[:2] for trace in before["traces"].values() if trace[1]] == [("evaluate", "echo")]
    plan = bring(f"mlflow:sqlite:///{written}", there)
    if there.startswith("mlflow"):
        after, new = seen(tmp_path / "b.db")
        assert after == before
        rows = [
            (row["kind"], row["source"], row["destination"])
            for row in ids.rows(plan.manifest, plan.folder.layout)
        ]
        [kept], [made] = (c.search_logged_models(["1"]) for c in (old, new))
        assert ("model", kept.model_id, made.model_id) in rows
        assert {row[1:] for row in rows if row[0] == "trace"} == {(id_, id_) for id_ in before["traces"]}
    bring(there, f"mlflow:sqlite:///{tmp_path}/home.db")
    home, _ = seen(tmp_path / "home.db")
    if there.startswith(("wandb", "tensorboard")):  # which hold no registered models here
        before = {**before, "versions": []}
    assert home == before


def test_what_is_added_in_mlflow_comes_along(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace and an assessment that somebody made in a run that runcast had brought."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    bring(f"mlflow:sqlite:///{written}", "mlflow:sqlite:///b.db")
    said(f"sqlite:///{tmp_path}/b.db", _ADDED)
    plan = bring("mlflow:sqlite:///b.db", "mlflow:sqlite:///d.db")
    assert [entry.state for entry in plan.manifest.runs.values()] == ["delivered"] * 3
    found, client = seen(tmp_path / "d.db")
    there, _ = seen(tmp_path / "b.db")
    there["outputs"]["inner"] = ["second"]  # its run says so only from now on
    assert found == there
    traces = client.search_traces(locations=["1"])
    assert sorted(trace.info.tags.get("kind", "") for trace in traces) == ["", "", "again"]
    assert [a.name for t in traces for a in t.info.assessments].count("later") == 1
    assert [model.name for model in client.search_logged_models(["1"])].count("second") == 1


def test_what_belongs_to_no_run_is_in_one_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces and models that were logged outside of runs, and who uses them; a second time nothing is new."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    said(f"sqlite:///{tmp_path}/src.db", _OUTSIDE)
    bring("mlflow:sqlite:///src.db", "mlflow:sqlite:///b.db")
    found, _ = seen(tmp_path / "b.db")
    own = "outside of runs"
    assert sorted(((t[0], t[1], t[-1][0][1]) for t in found["traces"].values()), key=str) == [
        (own, "agent", {"question": "agent"}), (own, None, {"question": "nobody"}),
    ]  # fmt: skip
    assert [model[:3] for model in found["models"]] == [("agent", own, {"depth": "2"})]
    assert found["inputs"] == {own: [], "judge": ["agent"]}
    assert migrate(prepare("mlflow:sqlite:///src.db", "mlflow:sqlite:///b.db")).unchanged == 2


def test_the_map_is_a_file(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As CSV, with a line for each run, model, trace and model version."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    plan = bring(f"mlflow:sqlite:///{written}", "wandb:./wandb")
    ids.write(plan.manifest, plan.folder.layout, tmp_path / "map.csv")
    with (tmp_path / "map.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["run", "model", "run", "run"]
    [model] = [row for row in rows if row["kind"] == "model"]
    assert (model["source"][:2], model["destination"]) == ("m-", "echo")
