"""One script, another tracker by configuration alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.py"


@pytest.mark.parametrize("backend", ["mlflow", "wandb", "tensorboard", "local", "mlflow,wandb,tensorboard"])
def test_the_environment_chooses_the_tracker(project: Path, backend: str) -> None:
    """`RUNCAST_BACKENDS` is enough; the script prints where its run went."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT)],
        env={**os.environ, "RUNCAST_BACKENDS": backend},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == backend.split(",")


def test_a_file_chooses_the_tracker(project: Path) -> None:
    """So is `runcast.toml`; its options say where."""
    Path("runcast.toml").write_text('backends = ["tensorboard"]\n[tensorboard]\nlogdir = "elsewhere"\n')
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert list(Path("elsewhere").rglob("*tfevents*"))
