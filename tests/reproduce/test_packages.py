"""The environment of a past run: what pip is asked, and what it answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runcast.errors import UsageError
from runcast.records import RunStarted
from runcast.reproduce.packages import create, explain, install, interpreter, plan
from runcast.reproduce.past import Past

RECORDED = """\
# mine==0.1, from a folder of that machine
msgspec==0.19.0
pip==24.0
Some_Package==1.0
tool @ git+https://example.org/tool@0123456789abcdef0123456789abcdef01234567
"""


def test_what_pip_is_asked_for() -> None:
    """Exact versions and commits; not pip itself; what came from a folder stands apart."""
    found = plan(RECORDED, {})

    assert found.lines == [
        "msgspec==0.19.0",
        "Some_Package==1.0",
        "tool @ git+https://example.org/tool@0123456789abcdef0123456789abcdef01234567",
    ]
    assert found.folders == {"mine": "0.1"}


def test_another_version_where_the_old_one_is_gone() -> None:
    """Whatever the spelling of the name; a name that the run did not have is a slip."""
    found = plan(RECORDED, {"some-package": "1.1", "mine": "0.2"})

    assert "some-package==1.1" in found.lines
    assert "mine==0.2" in found.lines
    assert not found.folders
    with pytest.raises(UsageError, match="no package 'numpi'"):
        plan(RECORDED, {"numpi": "1"})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "ERROR: Could not find a version that satisfies the requirement x==9 (from versions: 1.0, 2.0)\n"
            "ERROR: No matching distribution found for x==9",
            "pip cannot find x==9: the package index has 1.0, 2.0;",
        ),
        (
            "ERROR: No matching distribution found for x==9",
            "pip cannot find x==9: the package index has none",
        ),
        (
            "ERROR: No matching distribution found for torch==2.13.0+cpu",
            "give --package torch==2.13.0 to take the index's own build of it, or --no-env",
        ),
        ("  error: subprocess-exited\nERROR: Failed building wheel for old-thing", "cannot build old-thing"),
        ("ERROR: https://ada:hunter2hunter2@example.org is down", "pip failed: https://"),
        ("", "pip failed: no reason"),
    ],
)
def test_what_pip_answers(said: str, told: str) -> None:
    """One sentence with the package and the mend, and no password."""
    found = explain(said)

    assert told in found
    assert "--no-env" in found
    assert "hunter2" not in found


def test_an_environment_with_the_code_of_a_folder(tmp_path: Path) -> None:
    """A package that no index has is imported from its folder; one without a folder is reported."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "mine.py").write_text("VALUE = 7\n")
    python = create(sys.executable, tmp_path / "env")
    wanted = plan(
        "# mine==0.1, from a folder of that machine\n# lost==3, from a folder of that machine\n", {}
    )

    missing = install(sys.executable, python, wanted, tmp_path, {"mine": tmp_path / "src"})

    code = "import mine, importlib.metadata; print(mine.VALUE, importlib.metadata.version('mine'))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert done.stdout == "7 0.1\n"
    assert missing == ["lost 3, which was installed from a folder"]


def test_which_python() -> None:
    """The run's own minor version where it is there; a wrong name is refused."""
    run = Past(Path("/nowhere"), RunStarted(time=1, run="r", experiment="e", name="n"))
    assert interpreter(run) == sys.executable
    run.values["python"] = {"version": "2.99.1"}
    assert interpreter(run) == sys.executable

    with pytest.raises(UsageError, match="--python /no/python: there is no such program"):
        interpreter(run, "/no/python")
