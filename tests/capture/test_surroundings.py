"""What a run knows of itself: recorded without a word from the script, and only what is switched on."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.capture import Job, at_start, collect, gpus
from runcast.courier.catchup import find_pending
from runcast.courier.report import report
from runcast.errors import ConfigError
from runcast.journal import Blobs, Layout, read_run
from runcast.records import Environment

from ..courier.processes import until
from .conftest import git


def surroundings(run: str, layout: Layout) -> tuple[dict[str, Any], dict[str, bytes]]:
    """All values and files of a run's environment, as a backend would put them together."""
    values: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for record in read_run(layout.run(run)):
        if isinstance(record, Environment):
            values |= record.values
            for file in record.files:
                files[file.path] = Blobs(layout.blobs).path(file.sha256).read_bytes()
    return values, files


@pytest.fixture
def layout(project: Path) -> Layout:
    """The project's runcast folder."""
    return Layout(project / ".runcast")


@pytest.fixture
def script(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run a training script of its own to its end; gives the run's id."""

    def call(body: str, *arguments: str, **environment: str) -> str:
        (repository / "train.py").write_text("import os, sys, runcast\n" + textwrap.dedent(body))
        known = {k: v for k, v in os.environ.items() if not k.startswith("RUNCAST_")}
        done = subprocess.run(
            [sys.executable, "train.py", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env={**known, "RUNCAST_SYSTEM_INTERVAL": "0", **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


def test_a_short_script_records_everything(script: Callable[..., str], layout: Layout) -> None:
    """The end of the run waits a moment for it, so that the last word is the last."""
    run = script(
        """
        runcast.seed_everything(7)
        with runcast.start("e", backends=["local"]) as run:
            print(run.id)
        """,
        "--lr=0.1",
        "--api-key=sk-hunter2hunter2",
    )

    records = list(read_run(layout.run(run)))
    assert [type(r).__name__ for r in records] == ["RunStarted", "Environment", "Environment", "RunFinished"]
    assert report(layout, run).complete
    values, files = surroundings(run, layout)
    assert values["command"]["args"] == ["--lr=0.1", "--api-key=[redacted]"]
    assert values["command"]["line"].endswith("train.py --lr=0.1 '--api-key=[redacted]'")
    assert values["python"]["version"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert values["git"]["commit"] == git(Path.cwd(), "rev-parse", "HEAD")
    assert values["git"]["dirty"] is True
    assert values["packages"]["msgspec"] == importlib.metadata.version("msgspec")
    assert values["seeds"]["seed"] == 7
    assert values["os"]["system"] == "Linux"
    assert values["memory"]["total_bytes"] > 1 << 28
    assert b"+        runcast" in files["diff.patch"] or b"+runcast.seed_everything(7)" in files["diff.patch"]
    assert f"msgspec=={importlib.metadata.version('msgspec')}\n".encode() in files["requirements.txt"]
    assert "hunter2" not in str(values)
    assert not find_pending(layout, {})


@pytest.mark.parametrize("last", ["run.finish(timeout=0)", "os._exit(0)", ""])
def test_who_does_not_wait_loses_nothing(script: Callable[..., str], layout: Layout, last: str) -> None:
    """The courier stays until the surroundings are recorded and delivered, though the run is long over."""
    run = script(f"run = runcast.start('e', backends=['local'])\nprint(run.id, flush=True)\n{last}")

    until(lambda: "packages" in surroundings(run, layout)[0] and report(layout, run).complete)
    until(lambda: not find_pending(layout, {}))
    assert report(layout, run).records == 4
    assert report(layout, run).status == ("crashed" if "exit" in last else "finished")


def test_many_runs_of_one_script(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its surroundings in the tracker before its end, once."""
    monkeypatch.setenv("RUNCAST_CAPTURE", "true")
    ids = []
    for _ in range(20):
        with runcast.start("sweep", backends=["fake"], config=fake.config()) as run:
            run.log({"loss": 1.0})
        ids.append(run.id)

    for run_id in ids:
        kinds = [record["kind"] for record in fake.received(run_id)]
        assert (kinds.count("environment"), kinds[-1]) == (2, "run_finished")


@pytest.mark.parametrize("delivery", ["thread", "later"])
def test_without_a_courier_process(
    repository: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch, delivery: str
) -> None:
    """A thread of the script's does it, and the end of the run waits a moment for that."""
    monkeypatch.setenv("RUNCAST_CAPTURE", "git,packages")
    (repository / "train.py").write_text("lr = 0.2\n")
    with runcast.start("e", config={"delivery": delivery}, backends=["local"]) as run:
        pass

    values, files = surroundings(run.id, layout)
    assert set(values) == {"git", "packages"}
    assert b"+lr = 0.2" in files["diff.patch"]
    if delivery == "thread":
        assert run.report().complete


def test_each_part_can_be_switched_off(
    repository: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a list, or altogether; a word that does not exist names those that do."""
    for setting, expected in (
        ("machine", {"os", "cpu", "host", "memory", "user"}),
        (["command"], {"command"}),
        (False, set()),
    ):
        run = runcast.start("e", config={"delivery": "later", "capture": setting})
        run.finish()
        assert surroundings(run.id, layout)[0].keys() - {"user"} == expected - {"user"}

    with pytest.raises(ConfigError, match="allowed: git, command, python, packages, machine, gpu"):
        runcast.start("e", config={"capture": ["gti"]})


def test_a_resumed_run_is_described_anew(
    repository: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another commit may have gone on with it; the later one wins."""
    monkeypatch.setenv("RUNCAST_CAPTURE", "git")
    with runcast.start("e", config={"delivery": "later"}) as run:
        pass
    git(repository, "commit", "-q", "--allow-empty", "-m", "second")
    with runcast.start(resume=run.id, config={"delivery": "later"}):
        pass

    assert surroundings(run.id, layout)[0]["git"]["commit"] == git(repository, "rev-parse", "HEAD")


def test_hostile_surroundings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Strange arguments, a folder that is gone, a broken repository: what can be told is told."""

    class Bad:
        """No text."""

        def __str__(self) -> str:
            raise RuntimeError("no")

    parts = ["git", "command", "python"]
    monkeypatch.setattr("runcast.capture.command.script", lambda: "")  # pytest's own may lie in a repository
    monkeypatch.setattr(sys, "argv", [Bad()])
    assert set(at_start(parts, dict)) == {"python"}
    monkeypatch.setattr(sys, "argv", ["x" * 1_000_000, "\ud800", *["y"] * 10_000])
    monkeypatch.setattr(sys, "orig_argv", sys.argv)
    found = at_start(parts, dict)["command"]
    assert len(found["line"]) < 20_000
    assert found["args"][0] == "\ud800"

    (project / ".git").mkdir()
    (project / ".git" / "HEAD").mkdir()
    assert "git" not in at_start(parts, dict)
    values, files = collect(Job(parts=parts, git={"root": "/nonexistent", "commit": "0" * 40}))
    assert (values, files) == ({"git": {"root": "/nonexistent", "commit": "0" * 40}}, {})


def test_start_imports_nothing_heavy(repository: Path) -> None:
    """What looks at the machine is imported by the courier alone."""
    code = (
        "import sys, runcast; run = runcast.start('e', backends=['local'], config={'delivery': 'process'});"
        "heavy = {'psutil', 'numpy', 'torch', 'importlib.metadata', 'subprocess', 'pynvml'} & {*sys.modules};"
        "print(sorted(heavy)); run.finish(timeout=0)"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("RUNCAST_")}
    for _ in range(2):  # the first start of a configuration checks the backend's options
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60
        )

    assert done.stdout == "[]\n", done.stderr


def test_runcasts_folder_is_no_change(repository: Path) -> None:
    """Git passes over the folder that runcast makes; a folder that was there gets nothing it did not have."""
    runcast.start("e", backends=["local"], config={"delivery": "later"}).finish()
    assert git(repository, "status", "--porcelain", "--ignored") == "!! .runcast/"

    runcast.start("e", backends=["local"], config={"delivery": "later", "dir": "."}).finish()
    assert not (repository / ".gitignore").exists()


def test_a_device_without_memory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``nvidia-smi`` says [N/A] of one; the others keep what is known."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GB10, GPU-1, [N/A], 580.1'\necho 'A100, GPU-2, 40960, 580.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(gpus.Nvml, "load", lambda: None)
    gpus._look.cache_clear()
    try:
        assert gpus.describe({}) == {
            "gpus": [
                {"name": "GB10", "uuid": "GPU-1"},
                {"name": "A100", "uuid": "GPU-2", "memory_bytes": 40960 << 20},
            ],
            "cuda": {"driver": "580.1"},
        }
    finally:
        gpus._look.cache_clear()
