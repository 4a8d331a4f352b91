"""Registered models through the trackers themselves: MLflow's database to a W&B server, and home again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcast.migrate import migrate, prepare
from runcast.migrate.rollback import rollback
from runcast.migrate.verify import verify

from .conftest import Server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


def opened(path: Path) -> Any:
    """MLflow's own client on a database; an absolute address, for MLflow keeps a store for each."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{path}", f"sqlite:///{path}")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's own, on a database with a model of versions 1 and 3; 2 was deleted."""
    monkeypatch.setenv("RUNCAST_DIR", str(tmp_path / "rc"))
    monkeypatch.chdir(tmp_path)
    client = opened(tmp_path / "src.db")
    experiment = client.create_experiment("digits")
    runs = [client.create_run(experiment, run_name=name).info.run_id for name in "abc"]
    client.create_registered_model("my net", tags={"team": "vision"}, description="a net")
    for number, run in enumerate(runs, 1):
        file = tmp_path / "weights.bin"
        file.write_text(f"weights {number}")
        client.log_metric(run, "acc", number / 4)
        client.log_artifact(run, str(file), "model")
        client.create_model_version("my net", f"runs:/{run}/model", run, tags={"n": str(number)})
        client.set_terminated(run)
    client.delete_model_version("my net", "2")
    client.set_registered_model_alias("my net", "best", "3")
    client.update_model_version("my net", "3", "the third")
    client.transition_model_version_stage("my net", "1", "Production")
    return client


def bring(source: str, dest: str) -> Any:
    """Migrate everything; the plan, after a verification of all of it."""
    plan = prepare(source, dest)
    progress = migrate(plan)
    assert progress.notes == []
    assert [entry.reason for entry in plan.manifest.models.values()] == [""]
    wrong = [result for result in verify(plan) if not result.ok]
    assert wrong == []
    return plan


def test_there_and_home_again(client: Any, server: Server, tmp_path: Path) -> None:
    """W&B's own client finds the versions and their runs; home again, all is as it was in MLflow."""
    before = (tmp_path / "src.db").read_bytes()
    plan = bring("mlflow:sqlite:///src.db", "wandb:me/digits")
    assert (tmp_path / "src.db").read_bytes() == before
    assert plan.manifest.models["my net"].versions == {1: 0, 3: 1}

    import wandb

    api = wandb.Api()
    best = api.artifact("acme-org/wandb-registry-model/my_x20_net:best")
    assert best.version == "v1"
    assert best.description == "the third"
    folder = Path(best.download(root=str(tmp_path / "down")))
    assert (folder / "weights.bin").read_text() == "weights 3"
    assert api.artifact("acme-org/wandb-registry-model/my_x20_net:production").version == "v0"

    home = bring("wandb:me/digits", "mlflow:sqlite:///home.db")
    ours = opened(tmp_path / "home.db")
    model = ours.get_registered_model("my net")
    assert (model.description, model.tags["team"], model.aliases) == ("a net", "vision", {"best": 3})
    versions = {int(v.version): v for v in ours.search_model_versions("name='my net'")}
    assert {number: v.current_stage for number, v in versions.items()} == {1: "Production", 3: "None"}
    assert versions[3].description == "the third"
    assert (versions[1].tags["n"], versions[3].tags["n"]) == ("1", "3")
    assert ours.get_run(versions[3].run_id).info.run_name == "c"
    assert len(home.manifest.runs) == 3  # and none that only carried a version

    assert all(result.ok for result in rollback(tmp_path / "rc", plan.manifest.id))
    api = wandb.Api()
    assert list(api.runs("me/digits")) == []
    assert list(api.registry("model").collections()) == []
    assert not [
        v for kind in api.artifact_types("me/digits") for c in kind.collections() for v in c.artifacts()
    ]

    assert all(result.ok for result in rollback(tmp_path / "rc", home.manifest.id))
    assert list(ours.search_registered_models()) == []
    assert ours.search_runs([ours.get_experiment_by_name("digits").experiment_id]) == []


def test_to_another_database(client: Any, tmp_path: Path) -> None:
    """Version sources are rewritten: MLflow itself loads the files of every version from the new store."""
    from mlflow.artifacts import download_artifacts

    plan = bring("mlflow:sqlite:///src.db", "mlflow:sqlite:///dst.db")
    ours = opened(tmp_path / "dst.db")
    versions = {int(v.version): v for v in ours.search_model_versions("name='my net'")}
    assert sorted(versions) == [1, 3]
    old = {int(v.version): v for v in client.search_model_versions("name='my net'")}
    for number, version in versions.items():
        assert version.run_id == plan.manifest.runs[old[number].run_id].ref.id
        place = ours.get_model_version_download_uri("my net", str(number))
        folder = Path(download_artifacts(artifact_uri=place, tracking_uri=ours.tracking_uri))
        assert (folder / "weights.bin").read_text() == f"weights {number}"
    assert not (tmp_path / "mlflow.db").exists()


def test_what_is_taken_back_in_mlflow_goes(client: Any, tmp_path: Path) -> None:
    """A tag and a stage of a version, at the second migration, which verifies."""
    client.set_model_version_tag("my net", "1", "extra", "yes")
    bring("mlflow:sqlite:///src.db", "mlflow:sqlite:///dst.db")
    ours = opened(tmp_path / "dst.db")
    first = ours.get_model_version("my net", "1")
    assert (first.current_stage, first.tags["extra"]) == ("Production", "yes")
    client.delete_model_version_tag("my net", "1", "extra")
    client.delete_registered_model_alias("my net", "best")
    client.transition_model_version_stage("my net", "1", "None")
    bring("mlflow:sqlite:///src.db", "mlflow:sqlite:///dst.db")
    first = ours.get_model_version("my net", "1")
    assert (first.current_stage, first.tags.get("n"), "extra" in first.tags) == ("None", "1", False)
    assert ours.get_registered_model("my net").aliases == {}
