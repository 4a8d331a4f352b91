"""Every example runs, as a person would run it; and every tracker's own reader finds what it is about."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runcast.cli.app import build
from runcast.journal import Layout

pytestmark = pytest.mark.slow

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
TRACKERS = ("local", "mlflow", "tensorboard", "wandb")


@dataclass(frozen=True)
class Shown:
    """What one example is about, as each tracker's reader names it, in one of its runs."""

    run: str
    local: str
    mlflow: str
    tensorboard: str
    wandb: str


ABOUT = {
    "artifacts_and_models": Shown(
        run="train",
        local="used:wine-scaled",
        mlflow="model:wine-model",
        tensorboard="text:_runcast_/models/text_summary",
        wandb="used:wine-scaled",
    ),
    "charts": Shown(
        run="charts",
        local="roc_curve:val/roc",
        mlflow="media/calibration/val/calibration/0.svg",
        tensorboard="pr_curves:val/pr",
        wandb="table-file:val/roc_table",
    ),
    "embeddings": Shown(
        run="embedding",
        local="embedding:digits",
        mlflow="media/embedding/digits/0/vectors.npy",
        tensorboard="projector_config.pbtxt",
        wandb="table-file:digits",
    ),
    "everything": Shown(
        run="showcase",
        local="point_cloud:points",
        mlflow="media/figure/plotly/20.html",
        tensorboard="mesh:mesh_VERTEX",
        wandb="plotly-file:plotly",
    ),
    "grid_search": Shown(
        run="C=10.0-kernel=rbf",
        local="parent:True",
        mlflow="tag:mlflow.parentRunId",
        tensorboard="hparams:_hparams_/session_start_info",
        wandb="job_type:trial",
    ),
    "llm_calls": Shown(
        run="questions",
        local="trace:answer",
        mlflow="trace:answer",
        tensorboard="text:_runcast_/traces/text_summary",
        wandb="summary:runcast/traces",
    ),
    "pytorch_loop": Shown(
        run="cnn",
        local="graph:model",
        mlflow="media/histogram/weights/0.bias/39.svg",
        tensorboard="histograms:gradients/4.weight",
        wandb="images/separated:val/mistakes",
    ),
    "quickstart": Shown(
        run="first",
        local="artifact:weights.txt",
        mlflow="weights.txt/weights.txt",
        tensorboard="scalars:train/loss",
        wandb="metric:train/loss",
    ),
    "side_by_side": Shown(
        run="greedy",
        local="group:depth-and-rate",
        mlflow="tag:runcast.group",
        tensorboard="hparams:_hparams_/session_start_info",
        wandb="run_group:depth-and-rate",
    ),
    "sklearn_digits": Shown(
        run="sgd-baseline",
        local="feature_importance:forest/importance",
        mlflow="media/confusion_matrix/val/confusion/9.svg",
        tensorboard="images:val/confusion",
        wandb="table-file:val/confusion_table",
    ),
}


@dataclass
class Ran:
    """An example that ran: what it said, and what `runcast show --report` says of its runs, by name."""

    name: str
    done: subprocess.CompletedProcess[str]
    folder: Path
    runs: dict[str, dict[str, Any]]

    def place(self, tracker: str) -> dict[str, str]:
        """Where a tracker has the run that the example is about: ``id`` and ``url``."""
        (found,) = (b for b in self.runs[ABOUT[self.name].run]["backends"] if b["backend"] == tracker)
        return found


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples, so that trackers are set up once."""
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda path: path.stem)
def ran(request: pytest.FixtureRequest, workplace: Path) -> Ran:
    """One example, run once: to all four trackers, by configuration alone."""
    layout = Layout(workplace / ".runcast")
    before = set(layout.run_ids())
    foreign = ("RUNCAST_", "MLFLOW_", "WANDB_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {
        "HOME": str(workplace / "home"),
        "XDG_CACHE_HOME": str(workplace / "cache"),
        "RUNCAST_BACKENDS": ",".join(TRACKERS),
        "RUNCAST_FINISH_TIMEOUT": "120",  # a busy machine is no reason to fail
        "WANDB_ERROR_REPORTING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, str(request.param)],
        cwd=workplace,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    reports = [_report(layout, run) for run in set(layout.run_ids()) - before]
    return Ran(request.param.stem, done, workplace, {found["name"]: found for found in reports})


def _report(layout: Layout, run: str) -> dict[str, Any]:
    answer = CliRunner().invoke(build("show"), ["show", run, "--report", "--json", "--dir", str(layout.root)])
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_the_example_runs(ran: Ran) -> None:
    """Exit code 0, nothing on stderr, every run delivered; nothing was rejected, nothing lost."""
    assert (ran.done.returncode, ran.done.stderr) == (0, "")
    assert ran.runs
    for found in ran.runs.values():
        assert (found["status"], found["lost"]) == ("finished", [])
        assert {b["backend"]: (b["pending"], b["rejected"]) for b in found["backends"]} == {
            b["backend"]: (0, []) for b in found["backends"]
        }


@pytest.mark.parametrize("tracker", TRACKERS)
def test_each_tracker_shows_what_it_is_about(ran: Ran, tracker: str) -> None:
    """One script, four trackers: what the example is about is there, by the tracker's own reader."""
    if ran.name == "own_backend":
        pytest.skip("it names its backends itself")
    assert getattr(ABOUT[ran.name], tracker) in READERS[tracker](ran.folder, ran.place(tracker))


def _local(folder: Path, place: dict[str, str]) -> set[str]:
    """Names in the catalog, behind their kinds."""
    from runcast import catalog

    info = catalog.run(place["id"], dir=folder / ".runcast")
    return {
        *(f"metric:{key}" for key in info.metrics),
        *(f"{media.type}:{media.key}" for media in info.media()),
        *(f"artifact:{made.name}" for made in info.artifacts),
        *(f"model:{made.name}" for made in info.models),
        *(f"used:{used.name}" for used in info.inputs()),
        *(f"trace:{trace.spans[0].name}" for trace in info.traces()),
        f"group:{info.group}",
        f"parent:{info.parent is not None}",
    }


def _mlflow(folder: Path, place: dict[str, str]) -> set[str]:
    """Paths of artifacts; metrics, datasets, models, traces, behind their kinds."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    run = client.get_run(place["id"])
    found = {f"metric:{key}" for key in run.data.metrics} | {f"tag:{key}" for key in run.data.tags}
    found |= {f"dataset:{used.dataset.name}" for used in run.inputs.dataset_inputs}
    found |= {f"model:{client.get_logged_model(made.model_id).name}" for made in run.outputs.model_outputs}
    traces = client.search_traces(locations=[run.info.experiment_id], run_id=place["id"])
    found |= {f"trace:{trace.data.spans[0].name}" for trace in traces}
    folders = [""]
    while folders:
        for file in client.list_artifacts(place["id"], folders.pop()):
            (folders.append if file.is_dir else found.add)(file.path)
    return found


def _tensorboard(folder: Path, place: dict[str, str]) -> set[str]:
    """Tags, behind the plugins that show them; names of files in the run's folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(place["url"])
    events.Reload()
    tags = events.Tags()
    shown = {f"{events.SummaryMetadata(tag).plugin_data.plugin_name}:{tag}" for tag in tags["tensors"]}
    shown |= {f"scalars:{tag}" for tag in tags["scalars"]} | {f"graph:{tags['graph']}"}
    shown |= {f"hparams:{tag}" for tag in events.PluginTagToContent("hparams")}
    return shown | {path.name for path in Path(place["url"]).iterdir()}


def _wandb(folder: Path, place: dict[str, str]) -> set[str]:
    """Keys of history behind their W&B types, keys of the summary, artifacts, facts of the run."""
    (log,) = Path(place["url"]).glob("*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", str(log), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = set()
    for line in answer.splitlines():
        record = json.loads(line)
        kind = record["type"]
        body = record.get(kind, {})
        if kind == "history":
            typed = {
                key.removesuffix("._type"): value
                for key, value in body["item"].items()
                if key.endswith("._type")
            }
            found |= {f"{typed.get(key, 'metric')}:{key}" for key in (*body["item"], *typed)}
        elif kind == "summary":
            found |= {f"summary:{key}" for key in body.get("update", {})}
        elif kind == "artifact":
            found.add(f"{'used' if body.get('use_after_commit') else 'made'}:{body['name']}")
        elif kind == "run":
            found |= {f"{fact}:{value}" for fact, value in body.items()}
    return found


READERS: dict[str, Callable[[Path, dict[str, str]], set[str]]] = {
    "local": _local,
    "mlflow": _mlflow,
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


def test_the_table_of_examples_is_complete() -> None:
    """Whoever reads examples/README.md finds every file there."""
    table = EXAMPLES[0].with_name("README.md").read_text()

    assert [path.name for path in EXAMPLES if f"[`{path.name}`]({path.name})" not in table] == []
