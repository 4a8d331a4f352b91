"""Artifacts, secrets, a full disk, and what importing costs."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import runcast
from runcast.journal import Layout
from runcast.records import (
    Artifact,
    Lost,
    Metrics,
    Params,
    RunFinished,
)

from .saying import LATER, of


@pytest.mark.fault(
    "F26",
    how="files changed and deleted after the call",
    outcome="what was there at the call arrives",
)
def test_an_artifact_is_kept_as_it_was_at_the_call(run: runcast.Run) -> None:
    """Changing and deleting the file afterwards does no harm."""
    folder = Path("model")
    (folder / "sub").mkdir(parents=True)
    (folder / "w.bin").write_bytes(b"first")
    (folder / "sub" / "x.txt").write_text("x")
    run.log_artifact(folder, type="model", aliases=["best"], metadata={"acc": 0.9})
    (folder / "w.bin").write_bytes(b"second")

    (artifact,) = of(run, Artifact)
    assert (artifact.name, artifact.type, artifact.aliases) == ("model", "model", ["best"])
    assert artifact.metadata == {"acc": 0.9}
    files = {file.path: Layout(".runcast").blobs / file.sha256[:2] / file.sha256 for file in artifact.files}
    assert {path: blob.read_bytes() for path, blob in files.items()} == {"w.bin": b"first", "sub/x.txt": b"x"}


@pytest.mark.fault(
    "F26",
    how="links out, loops and FIFOs in a folder",
    outcome="left out and named; the rest is kept",
)
def test_an_artifact_cannot_reach_out_of_its_folder(
    run: runcast.Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Links out, loops and FIFOs are left out and named; the rest is kept."""
    import os

    secret = Path("secret.txt")
    secret.write_text("secret")
    folder = Path("out")
    folder.mkdir()
    (folder / "good.txt").write_text("good")
    (folder / "leak").symlink_to(secret.absolute())
    (folder / "loop").symlink_to(folder.absolute(), target_is_directory=True)
    (folder / "self").symlink_to("self")
    os.mkfifo(folder / "pipe")
    run.log_artifact(folder)

    (artifact,) = of(run, Artifact)
    assert [file.path for file in artifact.files] == ["good.txt"]
    reasons = " ".join(lost.reason for lost in of(run, Lost))
    assert all(name in reasons for name in ("leak", "loop", "self", "pipe"))


def test_a_missing_file_is_named(run: runcast.Run, caplog: pytest.LogCaptureFixture) -> None:
    """The warning names the path and says what to give."""
    run.log_artifact("no/such/file.bin")

    assert "no/such/file.bin" in caplog.text
    assert of(run, Artifact) == []


@pytest.mark.fault(
    "F27",
    how="canaries in params, tags, notes, texts and exceptions",
    outcome="in no file",
)
def test_secrets_do_not_reach_the_journal(run: runcast.Run) -> None:
    """In params, tags, notes, text and exceptions."""
    secret = "s3cr3t-p4ssw0rd"
    url = f"postgresql://me:{secret}@db/x"
    run.log_params({"db": url, "api_key": secret, "nested": {"token": secret}})
    run.set_tags({"url": url})
    run.set_note(f"see {url}")
    run.log({"t": runcast.Text(url)})
    with pytest.raises(RuntimeError), run:
        raise RuntimeError(f"cannot reach {url}")

    files = [path for path in Path(".runcast").rglob("*") if path.is_file()]
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert of(run, RunFinished)[0].error.startswith("RuntimeError: cannot reach postgresql://")


def test_a_full_disk_at_the_journal_stops_nothing(
    run: runcast.Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Logging goes on, one warning says why, and what waited is written when there is room."""
    import errno

    writer = run._writer
    assert writer is not None
    real = writer._write

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer._write = full  # type: ignore[method-assign]  # the disk
    with caplog.at_level(logging.WARNING, "runcast"):
        for step in range(100):
            run.log({"a": step}, step=step)
    assert caplog.text.count("No space left") == 1
    writer._write = real  # type: ignore[method-assign]  # room again
    writer._retry_at = 0.0
    run.log({"a": 100}, step=100)
    run.finish()

    assert [record.step for record in of(run, Metrics)] == list(range(101))


def test_a_folder_that_cannot_be_written_is_said_at_start(project: Path) -> None:
    """Misconfiguration fails at start, with the setting that mends it."""
    Path(".runcast").write_text("a file is in the way")
    with pytest.raises(runcast.ConfigError, match="RUNCAST_DIR"):
        runcast.start("exp", config=LATER)


def test_a_ten_megabyte_string_is_kept(run: runcast.Run) -> None:
    """Long values are never cut."""
    text = "x" * 10_000_000
    run.log_params({"long": text})

    assert of(run, Params)[0].values == {"long": text}


def test_importing_runcast_imports_nothing_heavy() -> None:
    """No SDK, no NumPy, no torch, and none of what only the command line needs."""
    import subprocess
    import sys

    heavy = [
        "mlflow",
        "wandb",
        "tensorboard",
        "numpy",
        "torch",
        "pydantic",
        "rich",
        "typer",
        "pluggy",
        "asyncio",
    ]
    code = f"import sys, runcast; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
