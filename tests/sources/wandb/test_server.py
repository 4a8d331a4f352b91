"""Runs at a server: a stand-in on loopback, asked through W&B's own client."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb_reading import differences, find, read

from runcast.backends.wandb import WandbBackend
from runcast.errors import ConfigError
from runcast.journal import Blobs
from runcast.migrate import migrate, prepare
from runcast.migrate.verify import verify
from runcast.plugins.source import Selection
from runcast.records import Artifact, Input, Lost, Media, Metrics, Note, Params, RunStarted, Tags
from runcast.sources.wandb import WandbSource
from runcast.testing import STORIES, Courier
from wandb_server import Server
from wandb_server.faults import Fault

pytestmark = pytest.mark.slow


@pytest.fixture
def server(nobody: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server, and a key for it."""
    with Server() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
        monkeypatch.setenv("WANDB_SILENT", "true")
        monkeypatch.setenv("WANDB_DIR", str(nobody))
        monkeypatch.chdir(tmp_path)
        yield running
        import wandb

        wandb.teardown()


def deliver(name: str, root: Path, server: Server) -> Courier:
    """A story, delivered online."""
    options = {"mode": "online", "base_url": server.url, "live": False}
    return Courier(WandbBackend, options, root, STORIES[name]()).play()


@pytest.mark.parametrize("name", ["training", "steps", "values", "media", "everything", "resumed"])
def test_our_own_runs_come_back(name: str, tmp_path: Path, server: Server) -> None:
    """Exactly as they were said, files too, though the server knows floats and steps of its own only."""
    courier = deliver(name, tmp_path, server)
    came = read("me/digits", tmp_path / "b")
    assert not differences(courier.records, came)
    said = {p.name for p in courier.layout.blobs.rglob("*") if p.is_file()}
    assert {p.name for p in (tmp_path / "b").rglob("*") if p.is_file()} == said


def test_an_edit_at_the_server_wins(tmp_path: Path, server: Server) -> None:
    """Name, note, labels and settings that a person changed, added or removed in W&B."""
    deliver("training", tmp_path, server)
    import wandb

    [before] = find("me/digits")
    run = wandb.Api().run(f"me/digits/{before.id}")
    run.display_name = "better"
    run.notes = "looked at"
    run.tags = ["quick", "mine"]
    run.config["lr"] = 0.5
    run.config["added"] = 1
    run.update()
    [after] = find("me/digits")
    assert after.version != before.version
    assert after.name == "better"
    records = read("me/digits", tmp_path / "b")
    params: dict[str, Any] = {}
    tags: dict[str, str] = {}
    for record in records:
        params |= record.values if isinstance(record, Params) else {}
        tags |= record.values if isinstance(record, Tags) else {}
    assert (params["lr"], params["added"], params["seed"]) == (0.5, 1, 7)
    assert tags == {"quick": "", "mine": ""}
    assert [r.text for r in records if isinstance(r, Note)][-1] == "looked at"
    [started] = [r for r in records if isinstance(r, RunStarted)]
    assert (started.name, started.experiment) == ("better", "digits")


def test_runs_of_the_client(tmp_path: Path, server: Server) -> None:
    """History whole and in order, config, labels, summary, files, artifacts with aliases and lineage."""
    import wandb

    settings = wandb.Settings(
        silent=True, console="off", disable_git=True, disable_code=True, x_disable_stats=True
    )
    options: dict[str, Any] = {"project": "digits", "settings": settings, "reinit": "create_new"}
    (tmp_path / "w.bin").write_bytes(b"weights")
    with wandb.init(
        id="maker", name="first", tags=["a"], config={"lr": 0.1, "deep": {"x": [1]}}, **options
    ) as run:
        for step in range(1200):
            run.log({"loss": step / 8, "far": float("nan")}, step=step * 3)
        run.log({"said": "words", "table": wandb.Table(columns=["a"], data=[[1]])}, step=5000)
        run.summary["best"] = 2.5
        for version in range(2):
            made = wandb.Artifact("weights", type="model", metadata={"version": version})
            with made.new_file("w.bin", mode="w") as file:
                file.write(f"weights {version}")
            run.log_artifact(made, aliases=["best"] if version else ["old"]).wait()
    with wandb.init(id="user", group="g", job_type="eval", **options) as run:
        run.use_artifact("weights:old").wait()
        run.log({"acc": 0.5})
    first, second = find("me/digits")
    assert (first.id, first.name, first.experiment, first.status) == ("maker", "first", "digits", "finished")
    assert first.points == 1201
    records = read("me/digits", tmp_path / "b", "maker")
    losses = [(r.step, r.values["loss"]) for r in records if isinstance(r, Metrics) and "loss" in r.values]
    assert losses == [(step * 3, step / 8) for step in range(1200)]
    assert not [r for r in records if isinstance(r, Lost)]
    [params] = [r for r in records if isinstance(r, Params)]
    assert params.values == {"lr": 0.1, "deep": {"x": [1]}}
    assert [r.values for r in records if isinstance(r, Metrics)][-1] == {"best": 2.5}
    assert {r.key: r.type for r in records if isinstance(r, Media)} == {"said": "text", "table": "table"}
    weights = [r for r in records if isinstance(r, Artifact) and r.name == "weights"]
    assert [(r.aliases, r.metadata["version"]) for r in weights] == [(["old"], 0), (["best"], 1)]
    content = Blobs(tmp_path / "b").path(weights[1].files[0].sha256).read_bytes()
    assert content == b"weights 1"
    used = read("me/digits", tmp_path / "b", "user")
    [record] = [r for r in used if isinstance(r, Input)]
    assert (record.name, record.type, record.version, record.run) == ("weights", "model", "v0", "maker")
    assert isinstance(used[0], RunStarted)
    assert (used[0].group, used[0].job_type) == ("g", "eval")
    assert [r.id for r in WandbSource("me/digits").runs(Selection(runs=("user",)))] == [second.id]


def test_what_is_not_there(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong address, no such project, no key, a client that reads history wrongly: said with the mend."""
    for address in ("a/b/c", "me/nothing"):
        with pytest.raises(ConfigError, match=r"write wandb:|nothing"):
            find(address)
    for wrong in ("0.27.1", "0.27.2"):
        monkeypatch.setattr(importlib.metadata, "version", lambda name, wrong=wrong: wrong)
        with pytest.raises(ConfigError, match="pip install -U wandb"):
            find("me/digits")
    monkeypatch.undo()
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    with pytest.raises(ConfigError, match="WANDB_API_KEY"):
        find("me/digits")
    with pytest.raises(ConfigError, match="holds no W&B run"):
        find(tmp_path)
    assert "fake" not in json.dumps(server.calls, default=str)


def test_a_busy_server_is_asked_again(tmp_path: Path, server: Server) -> None:
    """W&B's client heeds a refusal for a while: everything comes, and nothing is missing."""
    courier = deliver("training", tmp_path, server)
    server.faults.add(Fault(left=3, status=429, retry_after=1))
    came = read("me/digits", tmp_path / "b")
    assert not differences(courier.records, came)
    assert len(server.faults.happened) == 3


def test_several_runs_are_read_at_once(tmp_path: Path, server: Server) -> None:
    """By threads, each with a client of its own: every run is the same in the end."""
    names = ["training", "steps", "values", "media", "resumed"]
    for name in names:
        deliver(name, tmp_path / name, server)
    plan = prepare("wandb:me/digits", f"local:{tmp_path / 'there'}", tmp_path / "rc")
    found = len(list(plan.source.runs(Selection())))
    assert found >= 2
    progress = migrate(plan, jobs=5)
    assert (progress.delivered, progress.failed) == (found, 0)
    results = list(verify(plan))
    assert len(results) == found
    assert not [result for result in results if not result.ok]
