"""Every run gets a folder of its own inside the logdir, whatever the names are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import runcast
from runcast.backends.tensorboard import TensorBoardBackend, TensorBoardOptions
from runcast.backends.tensorboard.folder import safe
from runcast.plugins import OpenRun
from runcast.records import Metrics, RunStarted

Make = Callable[..., Any]
SOURCE = str(Path(runcast.__file__).parents[1])
T = 1_700_000_000_123_456_789
NAMES = [
    "../x",
    "/etc",
    "..",
    ".",
    "",
    "a\0b",
    "x" * 300,
    "日" * 300,
    "\ud800",
    "a/b",
    "~",
    ".hidden",
    "a\nb",
    "-v",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leaves_the_logdir(delivery: Make, tmp_path: Path, name: str) -> None:
    """Neither as an experiment nor as a run; the folder is two levels down, and the names are kept."""
    run = delivery(name=name, experiment=name)
    run.deliver(Metrics(time=T, step=0, values={"a": 1.0}))

    assert len(run.path.resolve().relative_to(tmp_path / "runs").parts) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["private", "runs"]
    assert (run.document()["experiment"], run.document()["name"]) == (name, name)
    assert run.points() == [(T, 0, "a", 1.0)]


@given(st.text())
def test_a_safe_name_is_one_component(name: str) -> None:
    """Of any text: no separator, not hidden, short enough for a suffix, encodable."""
    component = safe(name)

    assert component == os.path.basename(component)  # noqa: PTH119  # the plain rule, not pathlib's
    assert not component.startswith(".")
    assert 0 < len(os.fsencode(component)) <= 200


def test_two_runs_of_one_name_do_not_meet(delivery: Make) -> None:
    """The second gets the head of its id; each finds its own again."""
    one, two, three = (delivery(run=f"{c}23456789") for c in "abc")

    assert [run.ref.id for run in (one, two, three)] == [
        "digits/sgd", "digits/sgd-b23456", "digits/sgd-c23456",
    ]  # fmt: skip
    two.state = "{}"
    assert two.open().ref.id == "digits/sgd-b23456"


def test_ids_that_begin_alike_do_not_meet(delivery: Make) -> None:
    """Then the whole id is used."""
    ids = [delivery(run=f"123456-{c}").ref.id for c in "abc"]

    assert ids == ["digits/sgd", "digits/sgd-123456", "digits/sgd-123456-c"]


def test_a_run_keeps_its_folder_when_the_better_one_is_freed(delivery: Make) -> None:
    """With its state lost, too: it finds its mark before it looks for a free place."""
    one, two = delivery(run="a23456"), delivery(run="b23456")
    one.close()
    for path in one.path.iterdir():
        path.unlink()
    two.state = "{}"

    assert two.open().ref.id == "digits/sgd-b23456"


def test_somebody_elses_folder_is_left_alone(delivery: Make, tmp_path: Path) -> None:
    """Event files of another program are not mixed with ours."""
    other = tmp_path / "runs/digits/sgd/events.out.tfevents.1.h"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"theirs")

    assert delivery().ref.id == "digits/sgd-run-1"
    assert [path.name for path in other.parent.iterdir()] == [other.name]


def test_an_empty_folder_is_used(delivery: Make, tmp_path: Path) -> None:
    """As a crash between making and marking it leaves it, a torn temporary file included."""
    folder = tmp_path / "runs/digits/sgd"
    folder.mkdir(parents=True)
    (folder / ".runcast-claim-1.tmp").write_text("{")

    assert delivery().ref.id == "digits/sgd"


def test_a_file_system_without_links_works_too(delivery: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is then a file that must not exist."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "links are not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)

    assert [delivery(run=f"{c}23456").ref.id for c in "ab"] == ["digits/sgd", "digits/sgd-b23456"]


@pytest.mark.parametrize("logdir", ["gs://bucket/runs", "s3://user:secret@bucket", "a\0b", ""])
def test_a_logdir_that_is_no_folder_is_refused(logdir: str) -> None:
    """When the run is configured, not when it is delivered; without the value in our own words."""
    with pytest.raises(ValidationError, match="logdir"):
        TensorBoardOptions(logdir=logdir)


def test_an_unknown_option_is_refused() -> None:
    """A typo does not pass in silence."""
    with pytest.raises(ValidationError, match="log_dir"):
        TensorBoardOptions(log_dir="x")


def test_an_absolute_logdir_stands_for_itself(tmp_path: Path) -> None:
    """A relative one begins at the project's folder, which the other tests show."""
    started = RunStarted(time=T, run="r", experiment="e", name="n", base=str(tmp_path / "project"))
    backend = TensorBoardBackend(TensorBoardOptions(logdir=str(tmp_path / "my logs")))
    ref = backend.open(OpenRun(id="r", started=started, folder=tmp_path, blobs=tmp_path))
    backend.close()

    assert Path(ref.url) == tmp_path / "my logs/e/n"
    assert ref.command == f"tensorboard --logdir '{tmp_path}/my logs'"


def test_the_doctor_finds_nothing_wrong(tmp_path: Path) -> None:
    """A logdir that does not exist yet, under a folder that can be written."""
    findings = TensorBoardBackend.diagnose(TensorBoardOptions(logdir=str(tmp_path / "a/b")))

    assert [finding.ok for finding in findings] == [True, True]
    assert not (tmp_path / "a").exists()


def test_the_doctor_names_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the way of the logdir, and no TensorBoard."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("runcast.backends.tensorboard.backend.find_spec", lambda _: None)

    findings = TensorBoardBackend.diagnose(TensorBoardOptions(logdir=str(tmp_path / "file/runs")))

    assert [finding.ok for finding in findings] == [False, False]
    assert str(tmp_path / "file") in findings[0].mend
    assert findings[1].mend == "pip install 'runcast[tensorboard]'"


def test_a_run_is_written_without_tensorboard(tmp_path: Path) -> None:
    """In a fresh interpreter: neither TensorBoard nor protobuf nor NumPy is imported."""
    script = f"""
import sys
from pathlib import Path
from runcast.backends.tensorboard import TensorBoardBackend, TensorBoardOptions
from runcast.plugins import OpenRun
from runcast.records import Metrics, Params, RunFinished, RunStarted
base = Path({str(tmp_path)!r})
started = RunStarted(time={T}, run="r", experiment="e", name="n", base=str(base))
backend = TensorBoardBackend(TensorBoardOptions())
backend.open(OpenRun(id="r", started=started, folder=base, blobs=base))
backend.deliver([started, Params(time={T}, values={{"lr": 0.1}})])
backend.deliver([Metrics(time={T}, step=0, values={{"a": 0.1}})])
backend.deliver([RunFinished(time={T}, status="finished")])
backend.close()
heavy = {{"tensorboard", "tensorflow", "torch", "numpy", "google.protobuf"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": SOURCE})

    assert len(list((tmp_path / "runs/e/n").glob("events.out.tfevents.*"))) == 2
