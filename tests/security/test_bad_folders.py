"""Folders that are not as runcast left them: refused or salvaged, with counts, and never changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from runcast.errors import ConfigError
from runcast.journal import JournalReader, Layout
from runcast.plugins.manager import backend_class, plugins
from runcast.records import Artifact, FileRef, Metrics

from .conftest import T0, World, snapshot

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
NOBODY = 65534


def test_a_journal_of_a_newer_format(world: World) -> None:
    """Every command says what is needed, and leaves the journal and its delivery as they are."""
    run = world.forge(backends={"local": {}})
    for path in world.layout.journal(run).iterdir():
        path.unlink()
    newer = next((GOLDEN / "needs-newer-reader" / "journal").iterdir())
    shutil.copy(newer, world.layout.journal(run))
    before = snapshot(world.layout.runs)
    said = [
        world.runcast(*c) for c in (["status", "--all"], ["show", run, "--report"], ["runs", "--rebuild"])
    ]

    assert any("pip install -U runcast" in answer.out + answer.err for answer in said)
    world.deliver(run)
    assert {k: v for k, v in snapshot(world.layout.runs).items() if "/delivery" not in k} == before


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"position": 5}', b"\0" * 100, b'{"state": {"run_id": 7}}']
)
def test_a_corrupt_cursor(world: World, content: bytes) -> None:
    """Delivery begins anew, and the tracker holds everything once."""
    run = world.forge(Metrics(time=T0 + 1, step=0, values={"loss": 1.0}), backends={"local": {}})
    world.deliver(run)
    cursor = world.layout.delivery(run, "local") / "cursor.json"
    whole = json.loads(cursor.read_bytes())
    cursor.write_bytes(content)
    world.deliver(run)

    assert json.loads(cursor.read_bytes())["records"] == whole["records"] == 3
    (shown,) = json.loads(world.runcast("runs", "--json").out)
    assert shown["metrics"]["loss"]["count"] == 1


def test_a_half_copied_folder(world: World) -> None:
    """What is there is shown and migrated; what is missing is named and counted; nothing is changed."""
    digest = world.blob(b"weights")
    records = [Metrics(time=T0 + n, step=n, values={"loss": 1.0 * n}) for n in range(1, 100)]
    model = Artifact(
        time=T0 + 200, name="m", type="model", files=[FileRef("m.bin", digest, 7)], digest=digest
    )
    run = world.forge(model, *records)
    (world.layout.blobs / digest[:2] / digest).unlink()
    (segment,) = world.layout.journal(run).iterdir()
    segment.write_bytes(segment.read_bytes()[:5000])
    before = snapshot(world.layout.runs)
    answer = world.runcast("migrate", "local:", f"local:{world.project / 'copy'}")
    copied = world.project / "copy"
    reader = JournalReader(next((copied / "runs").glob("*/journal")))
    kept = [record for record in reader.read() if isinstance(record, Metrics)]

    assert answer.code in (0, 1)
    assert [record.step for record in kept] == list(range(1, len(kept) + 1))
    assert 10 < len(kept) < 99
    said = b"".join(path.read_bytes() for path in copied.rglob("*.rcj"))
    assert b"m.bin is gone" in said
    assert snapshot(world.layout.runs) == before
    (status,) = json.loads(world.runcast("status", "--all", "--json").out)
    assert status["status"] == "crashed"
    assert status["records"] == len(kept) + 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_journal_of_another_user(world: World) -> None:
    """Other runs are shown and delivered; the one that cannot be read is named; no traceback, no change."""
    own = world.forge(name="own", backends={"local": {}})
    foreign = world.forge(name="foreign", backends={"local": {}})
    before = snapshot(world.layout.run(foreign))
    for path in (world.project, *world.project.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    for path in (world.layout.run(foreign), *world.layout.run(foreign).rglob("*")):
        os.chown(path, 0, 0)
        path.chmod(0o700 if path.is_dir() else 0o600)
    # The interpreter and the code must be readable to the other user: a fork is enough, an exec would not be.
    code = f"""
        import os, sys
        from runcast.cli import app
        from runcast.config import load
        import runcast.backends.local, runcast.cli.show, runcast.cli.runs, runcast.cli.status
        import runcast.cli.migrate
        import runcast.courier.closing, rich.table, rich.progress, pydantic
        from runcast.plugins.manager import source_class
        source_class("local")
        os.setgid({NOBODY}); os.setuid({NOBODY})
        for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            os.environ[name] = {str(world.project)!r}
        migrate = ["migrate", "local:", "local:copy", "--jobs", "1", "--patience", "5"]
        for command in (["runs"], ["status", "--all"], ["show", {own!r}], migrate):
            try:
                app.run(command)
            except SystemExit as stop:
                assert stop.code in (0, 1, None), (command, stop.code)
    """
    for folder in world.project.parents:
        if folder.stat().st_uid == os.geteuid() and folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=world.project,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr

    assert done.returncode == 0, said
    assert "Traceback" not in said
    assert foreign in said
    assert "ermission denied" in said
    assert "own" in done.stdout
    assert snapshot(world.layout.run(foreign)).keys() == before.keys()


@pytest.fixture
def newer_plugin(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], str]:
    """``newer_plugin("runcast>=99")`` puts a package with this requirement on the path."""

    def install(requirement: str) -> str:
        site = tmp_path_factory.mktemp("site")
        name = f"modern{zlib.crc32(requirement.encode())}"  # plugins are remembered by their names
        (site / f"{name}.py").write_text("from runcast.nowhere import Future\n")
        info = site / f"{name}-2.0.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.0\nRequires-Dist: {requirement}\n"
        (info / "METADATA").write_text(head)
        (info / "entry_points.txt").write_text(f"[runcast]\n{name} = {name}\n")
        monkeypatch.syspath_prepend(str(site))
        return name

    return install


@pytest.mark.parametrize("requirement", ["runcast>=99", "runcast (>=99.1)", "runcast[testing]~=99.0,<100"])
def test_a_plugin_that_asks_for_a_newer_runcast(newer_plugin: Callable[[str], str], requirement: str) -> None:
    """It is not imported; what it asks for is named, where plugins are listed and where one is chosen."""
    name = newer_plugin(requirement)
    (found,) = [plugin for plugin in plugins() if plugin.name == name]

    assert found.error is not None
    assert requirement in found.error
    assert "pip install -U runcast" in found.error
    with pytest.raises(ConfigError, match="pip install -U runcast"):
        backend_class(name)


@pytest.mark.parametrize(
    "requirement", ["runcast>=0.1", "runcast", "runcast>=99; extra == 'x'", "runcast-other>=99"]
)
def test_a_plugin_that_asks_for_this_runcast(newer_plugin: Callable[[str], str], requirement: str) -> None:
    """It is loaded; what is wrong with it then is its own."""
    name = newer_plugin(requirement)
    (found,) = [plugin for plugin in plugins() if plugin.name == name]

    assert "nowhere" in (found.error or "")


def test_everything_made_is_private(project: Path) -> None:
    """Under the loosest umask: what every backend makes is closed to everybody else."""
    script = """
        import os; os.umask(0)
        import numpy as np, runcast
        with runcast.start("private", params={"lr": 1}) as run:
            picture = runcast.Image(np.zeros((4, 4), "uint8"))
            run.log({"loss": 1.0, "p": picture, "t": runcast.Text("x")}, step=0)
            open("data.txt", "w").write("x")
            run.log_artifact("data.txt", name="data")
    """
    environment = {
        **os.environ, "RUNCAST_BACKENDS": "local,tensorboard,wandb,mlflow", "RUNCAST_WANDB__MODE": "offline",
        "RUNCAST_FINISH_TIMEOUT": "60", "RUNCAST_CAPTURE": "true",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = [path for path in project.rglob("*") if path.name != "data.txt" or ".runcast" in path.parts]
    # SQLite and the artifact folders below mlruns/ are made by MLflow's own client.
    ours = [
        path for path in made if path.relative_to(project).parts[0] not in ("mlflow.db", "mlruns", "data.txt")
    ]
    loose = [
        f"{path.relative_to(project)} {path.stat().st_mode & 0o777:o}"
        for path in ours
        if path.stat().st_mode & 0o077
    ]

    assert {"runs", "wandb", ".runcast"} <= {path.relative_to(project).parts[0] for path in ours}
    assert loose == []


def test_layout_makes_nothing_by_looking(project: Path) -> None:
    """A folder that is not there stays away, whatever is asked of it."""
    layout = Layout(project / "none")
    assert layout.run_ids() == []
    assert JournalReader(layout.journal("x")).read() == []
    assert list(project.iterdir()) == []
