"""Artifacts of W&B's own runs: who made them, who used them, and under which numbers they are afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcast.migrate import ids, migrate, prepare
from runcast.migrate.rollback import rollback
from runcast.migrate.verify import verify

from .conftest import Server

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::FutureWarning")]


@pytest.fixture
def written(server: Server, tmp_path: Path) -> None:
    """A project in which W&B's client logged two versions of a dataset, and then used the older one."""
    import wandb

    file = tmp_path / "data.txt"
    with wandb.init(project="src", entity="me", name="maker", id="maker1") as run:
        for number, alias in enumerate(("old", "best")):
            file.write_text(f"data {number}")
            made = wandb.Artifact("ds", "dataset", metadata={"number": number})
            made.add_file(str(file))
            run.log_artifact(made, aliases=[alias]).wait()
    with wandb.init(project="src", entity="me", name="user", id="user1") as run:
        run.use_artifact("ds:old")
        file.write_text("weights")
        made = wandb.Artifact("net", "model")
        made.add_file(str(file))
        run.log_artifact(made).wait()


def seen(project: str) -> dict[str, Any]:
    """Each run with what it made and used, as W&B's own client finds it."""
    import wandb

    found = {}
    for run in wandb.Api().runs(f"me/{project}"):
        used = {a.name: a.logged_by().name for a in run.used_artifacts()}
        made = {
            a.name: (a.metadata.get("number"), sorted({"old", "best"} & set(a.aliases)))
            for a in run.logged_artifacts()
            if a.name not in used
        }
        found[run.name] = made, used
    return found


def bring(source: str, dest: str) -> list[dict[str, Any]]:
    """Migrate everything, verify it, and give the map of ids without the runs."""
    plan = prepare(source, dest)
    migrate(plan)
    assert [result for result in verify(plan) if not result.ok] == []
    return [row for row in ids.rows(plan.manifest, plan.folder.layout) if row["kind"] != "run"]


def test_lineage_arrives_and_comes_home(written: None, server: Server) -> None:
    """The run that used an artifact uses the one of the migrated run, and the map has old and new numbers."""
    before = seen("src")
    assert before["user"][1] == {"ds:v0": "maker"}
    rows = bring("wandb:me/src", "wandb:me/dst")
    assert seen("dst") == before
    assert {row["source"]: row["destination"] for row in rows} == {
        f"me/src/{name}": f"me/dst/{name}" for name in ("ds:v0", "ds:v1", "net:v0")
    }
    assert rows[0]["url"] == f"{server.url}/me/dst/artifacts/dataset/ds/v0"
    bring("wandb:me/src", "mlflow:sqlite:///b.db")
    rows = bring("mlflow:sqlite:///b.db", "wandb:me/home")
    assert seen("home") == before
    assert {row["destination"] for row in rows} == {
        f"me/home/{name}" for name in ("ds:v0", "ds:v1", "net:v0")
    }
    assert all(row["source"].startswith("runs:/") for row in rows)


def test_taken_back_as_a_whole_and_no_more(written: None, server: Server, tmp_path: Path) -> None:
    """The user of an artifact alone leaves it to its maker; both leave no empty name behind."""
    import wandb

    plan = prepare("wandb:me/src", "wandb:me/dst")
    migrate(plan)
    [user] = rollback(tmp_path / "rc", plan.manifest.id, runs=("user1",))
    assert user.ok
    assert seen("dst") == {"maker": seen("src")["maker"]}
    assert all(result.ok for result in rollback(tmp_path / "rc", plan.manifest.id))
    kinds = list(wandb.Api().artifact_types("me/dst"))
    assert [collection.name for kind in kinds for collection in kind.collections()] == []
    assert set(seen("src")) == {"maker", "user"}
