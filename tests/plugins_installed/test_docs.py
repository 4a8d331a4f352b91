"""``docs/plugins.md`` is run: its package is found, passes the kit, and is logged to."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs" / "plugins.md"
BLOCK = re.compile(r"```(?:python|toml)\n# (\S+)\n(.*?)```", re.S)


@pytest.fixture
def package(project: Path, metadata: Callable[[str], Path]) -> Path:
    """The folder that a reader of the page has made."""
    blocks = dict(BLOCK.findall(DOCS.read_text()))
    assert set(blocks) == {
        "pyproject.toml", "runcast_acme.py", "test_acme.py", "train.py", "test_script.py",
        "runcast_acme_source.py", "test_acme_source.py",
    }  # fmt: skip
    for name, text in blocks.items():
        (project / name).write_text(text)
    (second,) = re.findall(r"second entry point, `(.*)`", DOCS.read_text())
    metadata(blocks["pyproject.toml"] + second + "\n")
    return project


def run(package: Path, environment: Callable[..., dict[str, str]], *command: str) -> str:
    """The output of a command in that folder; it must succeed."""
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=package,
        env=environment(package / "site", package),
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_the_backend_passes_the_kit(package: Path, environment: Callable[..., dict[str, str]]) -> None:
    """As the page says: every test of the kit, with warnings as errors."""
    pytest_ = ("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_acme.py")
    out = run(package, environment, *pytest_)

    assert re.search(r"\b[5-9]\d passed", out)
    assert "skipped" not in out


def test_the_source_passes_its_kit(package: Path, environment: Callable[..., dict[str, str]]) -> None:
    """As the page says: nothing skipped, warnings as errors."""
    out = run(
        package,
        environment,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "test_acme_source.py",
    )

    assert re.search(r"\b1\d passed", out)
    assert "skipped" not in out


def test_a_run_is_migrated_from_it(package: Path, environment: Callable[..., dict[str, str]]) -> None:
    """The source is found by its entry point; the run that the script logged arrives elsewhere."""
    run(package, environment, "train.py")
    command = ["runcast", "migrate", "acme:my-runs", "local:copy"]
    code = f"import sys; from runcast.cli import main; sys.argv = {command}; main()"

    assert "1 run brought" in run(package, environment, "-c", code)


def test_the_script_logs_to_it(package: Path, environment: Callable[..., dict[str, str]]) -> None:
    """The backend is found by its entry point, and has the point."""
    run(package, environment, "train.py")

    (path,) = (package / "my-runs").iterdir()
    assert '"loss":0.5' in path.read_text()


def test_the_fixtures_are_there(
    package: Path, environment: Callable[..., dict[str, str]], metadata: Callable[[str], Path]
) -> None:
    """A test asks for a fixture; that runcast is installed is enough."""
    # Where runcast runs from a source tree, this is what its installation would add.
    entry = re.search(
        r"\[project.entry-points.pytest11\]\n.*?\n\n", (DOCS.parents[1] / "pyproject.toml").read_text(), re.S
    )
    assert entry is not None
    metadata(f'[project]\nname = "runcast-itself"\nversion = "0"\n{entry[0]}')
    out = run(package, environment, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_script.py")

    assert "1 passed" in out


def test_the_code_is_as_short_as_the_page_says() -> None:
    """About sixty lines of Python for backend and test."""
    blocks = dict(BLOCK.findall(DOCS.read_text()))
    lines = [line for name in ("runcast_acme.py", "test_acme.py") for line in blocks[name].splitlines()]

    assert 50 <= len([line for line in lines if line.strip()]) <= 70
