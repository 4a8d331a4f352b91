"""The csv plugin, found by its entry point alone, in processes of its own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "plugins" / "runcast-csv"
TRAIN = """
import runcast
config = {"csv": {"dir": "out"}}
with runcast.start("exp", backends=["csv", "local"], params={"lr": 0.1}, config=config) as run:
    for step in range(50):
        run.log({"loss": 1 / (step + 1)}, step=step)
assert run.report().complete, run.report()
print(run.refs["csv"].url)
"""


@pytest.fixture
def installed(metadata: Callable[[str], Path], environment: Callable[..., dict[str, str]]) -> dict[str, str]:
    """An environment in which the plugin is installed: as it is, or as its metadata would make it."""
    try:
        distribution("runcast-csv")
    except PackageNotFoundError:
        site = metadata((PACKAGE / "pyproject.toml").read_text())
        return environment(site, PACKAGE / "src")
    return environment()


def test_it_is_listed(installed: dict[str, str], project: Path) -> None:
    """``runcast plugins`` names package, version and backend; nothing is wrong with it."""
    code = "from runcast.cli import main; import sys; sys.argv = ['runcast', 'plugins', '--json']; main()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=installed)

    (found,) = [each for each in json.loads(done.stdout) if each["name"] == "csv"]
    assert (found["distribution"], found["version"]) == ("runcast-csv", "0.1.0")
    assert (found["backends"], found["error"]) == (["csv"], None)


def test_a_script_logs_to_it(installed: dict[str, str], project: Path) -> None:
    """Named in ``backends``, it is delivered to by a worker of its own, beside another backend."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN], capture_output=True, text=True, check=False, env=installed
    )

    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path.parent == project / "out"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(50))
    assert [float(row["value"]) for row in rows] == [1 / (step + 1) for step in range(50)]
    kinds = [json.loads(line)["kind"] for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert kinds == ["run_started", "params", "run_finished"]


def test_make_test_installs_it() -> None:
    """The set-up of the tests has the plugin in its one line of installation."""
    lines = (PACKAGE.parents[1] / "Makefile").read_text().splitlines()

    assert any("pip install" in line and "-e plugins/runcast-csv" in line for line in lines)


def test_it_takes_part_in_the_selection(installed: dict[str, str], project: Path) -> None:
    """``runcast select`` lists it by its own words, after the trackers of the rules, with its price."""
    code = "from runcast.cli import main; import sys; sys.argv = ['runcast', 'select', '--json']; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=installed)
    assert done.returncode == 0, done.stderr
    choices = json.loads(done.stdout)["choices"]
    place, listed = next((n, one) for n, one in enumerate(choices) if one["backend"] == "csv")
    assert place >= 3
    assert (listed["title"], listed["installed"], listed["cost"]["high"]) == ("CSV files", True, 0)
    assert listed["strengths"] == ["two files for each run, which every spreadsheet opens"]
    assert any(gain["feature"] == "params and tags of any length" for gain in listed["wins"])
