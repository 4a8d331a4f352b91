"""The selector at work: in `start`, on the terminal, and in a first configuration."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pexpect
import pytest
from typer.testing import CliRunner

import runcast
from runcast import starting
from runcast.cli.app import build
from runcast.config import load
from runcast.selector import installed

CHOOSE = installed.__name__


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, without keys of anybody."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_API_KEY", "MLFLOW_TRACKING_URI", "RUNCAST_BACKENDS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delattr(starting._by_profile, "told", raising=False)
    return tmp_path


def start(folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Two runs as configured; gives the backends of the last one."""
    config = {"delivery": "later"}
    with caplog.at_level(logging.WARNING, logger="runcast"):
        for _ in range(2):
            run = runcast.start("e", config=config)
            run.finish(timeout=0)
    return list(run._options)


def profile(folder: Path, text: str) -> None:
    """Configure nothing but a profile."""
    (folder / "runcast.toml").write_text(f"[profile]\n{text}\n")


def test_start_chooses_by_the_profile_and_says_so_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing configured but who trains: the choice and its reason, one line for any number of runs."""
    profile(folder, 'hosting = "self-hosted"\nframework = "pytorch"')
    assert start(folder, caplog) == ["tensorboard"]
    (message,) = [record.getMessage() for record in caplog.records]
    assert "tensorboard" in message
    assert "free and self-hosted" in message
    assert "`backends`" in message


def test_without_a_profile_it_is_the_local_catalog(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who says nothing is told nothing."""
    assert start(folder, caplog) == ["local"]
    assert not caplog.records


def test_what_is_configured_is_not_overruled(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The profile matters only where no backends are named."""
    (folder / "runcast.toml").write_text('backends = ["local"]\n[profile]\nframework = "pytorch"\n')
    assert start(folder, caplog) == ["local"]
    assert not caplog.records


def test_without_a_key_the_equal_second_is_taken(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """W&B and MLflow are equals for one person; without W&B's key it is MLflow, and that is said."""
    profile(folder, 'framework = "mixed"')
    assert start(folder, caplog) == ["mlflow"]
    assert "wandb would come first, but has no key here" in caplog.text


def test_with_a_key_it_is_wandb(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An entry of `wandb login` in the netrc file is enough."""
    (folder / "netrc").write_text("machine api.wandb.ai login user password x\n")
    (folder / "netrc").chmod(0o600)
    profile(folder, 'framework = "mixed"')
    assert start(folder, caplog) == ["wandb"]


def test_only_what_is_installed_is_chosen(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is not there moves its tracker behind, with the reason."""
    monkeypatch.setattr(installed, "is_installed", lambda module: False)
    profile(folder, 'framework = "sklearn"')
    assert start(folder, caplog) == ["tensorboard"]
    assert "mlflow would come first, but is not installed" in caplog.text


def test_select_as_json() -> None:
    """A machine gets everything, and no question."""
    result = CliRunner().invoke(
        build("select"), ["select", "--team-size", "30", "--budget", "limited", "--json"]
    )
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert answer["choices"][0]["backend"] == "wandb"
    assert answer["profile"]["team_size"] == "large"
    assert answer["toml"].startswith("#")


def test_select_refuses_a_wrong_word() -> None:
    """Exit code 2: the question was wrong."""
    result = CliRunner().invoke(build("select"), ["select", "--budget", "huge"])
    assert result.exit_code == 2
    assert "free, limited, enterprise" in result.output


def terminal(command: str) -> pexpect.spawn[str]:
    """A command of runcast with a person at the terminal."""
    program = ["-c", "from runcast.cli import main; main()", command]
    return pexpect.spawn(
        sys.executable, program, encoding="utf-8", timeout=60, dimensions=(60, 160), use_poll=True
    )


def test_select_asks_on_a_terminal() -> None:
    """Four questions, each with a default; a wrong word is asked again."""
    child = terminal("select")
    child.expect("How many people")
    child.sendline("5")
    child.expect("What may it cost")
    child.sendline("lots")
    child.expect("one of free, limited, enterprise")
    child.sendline("limited")
    child.expect("Where may it run")
    child.sendline("self-hosted")
    child.expect("made with")
    child.sendline("pytorch")
    child.expect("MLflow: self-hosted")
    child.expect("Beside it tensorboard")
    child.expect(pexpect.EOF)
    child.close()


def test_init_asks_writes_and_checks(folder: Path) -> None:
    """The answers become a runcast.toml that `start` and `doctor` take as it is."""
    child = terminal("init")
    for question, answer in (
        ("How many people", "0"),  # nobody: asked again
        ("How many people", "1"),
        ("What may it cost", ""),  # the default
        ("Where may it run", "self-hosted"),
        ("made with", "sklearn"),
    ):
        child.expect(question)
        child.sendline(answer)
    child.expect("written to")
    child.expect("checked: everything is well")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    loaded = load({})
    assert loaded.settings.backends == ["mlflow"]
    profile = loaded.settings.profile
    assert (profile.team_size, profile.budget) == ("individual", "free")
    assert (profile.hosting, profile.framework) == ("self-hosted", "sklearn")


def test_init_writes_checks_and_does_not_overwrite(folder: Path) -> None:
    """The file holds the answers; a second time it is left alone, unless told otherwise."""
    asked = ["init", "--hosting", "self-hosted", "--framework", "pytorch"]
    result = CliRunner().invoke(build("init"), asked)
    assert result.exit_code == 0, result.output
    first = (folder / "runcast.toml").read_text()
    assert 'backends = ["tensorboard"]' in first
    again = CliRunner().invoke(build("init"), [*asked, "--backend", "local"])
    assert again.exit_code == 2
    assert "--force" in again.output
    assert (folder / "runcast.toml").read_text() == first
    forced = CliRunner().invoke(build("init"), [*asked, "--backend", "local", "--force"])
    assert forced.exit_code == 0
    assert 'backends = ["local"]' in (folder / "runcast.toml").read_text()


def test_init_says_what_is_to_be_mended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unwritable folder is found before the first run is lost to it."""
    monkeypatch.setenv("RUNCAST_DIR", "/proc/runcast")
    result = CliRunner().invoke(build("init"), ["init", "--backend", "local", "--json"])
    assert result.exit_code == 1
    assert any("/proc" in line["what"] for line in json.loads(result.stdout)["to_mend"])


def test_init_writes_no_backend_that_is_not_there(folder: Path) -> None:
    """A slip in --backend is told with what there is, and no file is written."""
    result = CliRunner().invoke(build("init"), ["init", "--backend", "mlfow"])
    assert result.exit_code != 0
    assert not (folder / "runcast.toml").exists()
    assert "mlfow" in result.output + str(result.exception)
