"""Every example runs, as a person would run it, and leaves a finished run behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runcast.courier.report import report
from runcast.journal import Layout

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs(path: Path, project: Path) -> None:
    """Exit code 0, nothing on stderr, every run finished and delivered."""
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)

    assert done.stderr == ""
    assert done.returncode == 0
    layout = Layout(project / ".runcast")
    reports = [report(layout, run) for run in layout.run_ids()]
    assert reports
    assert all(found.status == "finished" and found.complete for found in reports)
