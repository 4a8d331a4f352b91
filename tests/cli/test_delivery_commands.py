"""`status`, `deliver` and `show --report` as a person and a machine see them."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from typer.testing import CliRunner

import runcast
from runcast.cli.app import build


def call(*arguments: str) -> tuple[int, str]:
    """Exit code and output of one command."""
    result = CliRunner().invoke(build(arguments[0]), list(arguments))
    return result.exit_code, result.stdout


@pytest.fixture
def late(fake: Any) -> runcast.Run:
    """A finished run that nobody has delivered yet."""
    (fake.root / "runcast.toml").write_text(
        f'dir = "rc"\nbackends = ["fake"]\ndelivery = "later"\n[fake]\n'
        f'folder = "{fake.folder}"\ncontrol = "{fake.control}"\n'
    )
    with runcast.start("exp", name="n") as run:
        run.log({"my loss": 1.0}, step=0)
    return run


def test_status_shows_what_is_pending(late: runcast.Run) -> None:
    """Run, backend and count; nothing needs a person, so the exit code is 0."""
    code, text = call("status")

    assert code == 0
    assert late.id in text
    assert "fake" in text
    (found,) = json.loads(call("status", "--json")[1])
    assert (found["run"], found["backends"][0]["pending"]) == (late.id, 3)
    assert found["backends"][0]["lag"] > 0


def test_deliver_delivers_and_then_says_so(late: runcast.Run, fake: Any) -> None:
    """After it, nothing is pending."""
    code, text = call("deliver")

    assert code == 0, text
    assert fake.steps(late.id) == [0]
    assert "everything is delivered" in call("status")[1]
    assert call("deliver")[0] == 0


def test_a_run_of_another_machine_waits_for_a_word(
    late: runcast.Run, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where this user has not started it, `deliver` shows where it would go, and goes there on `--trust`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(fake.root / "home of another machine"))
    result = CliRunner().invoke(build("deliver"), ["deliver"])

    assert result.exit_code == 1
    assert f"{late.id} to fake (folder={fake.folder}" in result.stderr
    assert "add --trust" in result.stderr
    assert not fake.folder.exists()
    assert call("deliver", "--trust")[0] == 0
    assert fake.steps(late.id) == [0]


def test_a_copy_in_another_folder_is_not_our_own(
    late: runcast.Run, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come back from somebody who changed it; the original is delivered as ever."""
    shutil.copytree(fake.root / "rc", fake.root / "came back")
    monkeypatch.setenv("RUNCAST_DIR", str(fake.root / "came back"))
    assert call("deliver")[0] == 1
    monkeypatch.delenv("RUNCAST_DIR")
    assert call("deliver")[0] == 0


def test_resuming_a_strangers_run_trusts_nothing_that_it_says(
    late: runcast.Run, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on where the user says; the stranger's destinations still need `--trust`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(fake.root / "home of another machine"))
    with runcast.start("exp", resume=late.id, backends=["local"]):
        pass
    assert call("deliver")[0] == 1
    assert not fake.folder.exists()


def test_without_a_home_delivery_waits_for_a_word(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a run works all the same."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name)
    with runcast.start("exp", backends=["fake"], config=fake.config(delivery="later")) as run:
        run.log({"x": 1.0})
    monkeypatch.setenv("RUNCAST_DIR", str(fake.root / "rc"))
    assert call("deliver")[0] == 1
    assert call("deliver", "--trust")[0] == 0


def test_a_paused_backend_needs_a_person(late: runcast.Run, fake: Any) -> None:
    """Exit code 1, and the mend in the table."""
    fake.set("halt")
    assert call("deliver")[0] == 1
    code, text = call("status")

    assert code == 1
    assert "paused" in text
    assert "FAKE_KEY" in text


def test_the_report_names_each_change(late: runcast.Run) -> None:
    """`show --report` lists what a tracker got under another name, as a table and as JSON."""
    call("deliver")
    code, text = call("show", late.id, "--report")

    assert code == 0
    assert "my_loss" in text
    found = json.loads(call("show", late.id, "--report", "--json")[1])
    assert found["backends"][0]["changes"] == [{"what": "renamed", "key": "my loss", "detail": "my_loss"}]


def test_an_unknown_run_is_a_wrong_question(late: runcast.Run) -> None:
    """Exit code 2."""
    assert call("status", "nope")[0] == 2
