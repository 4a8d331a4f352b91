"""Modes, keys and what the doctor says of them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from runcast.backends.wandb import WandbBackend, WandbOptions, runcast_backends
from runcast.backends.wandb.options import key_source, resolve_mode, run_url
from runcast.errors import Halt
from runcast.plugins import Capabilities
from wandb_server import Server

KEY = "fake" * 10


def test_offline_without_a_key_online_with_one(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is said, a configured key decides; `dryrun` is W&B's old word for offline."""
    assert resolve_mode(WandbOptions()) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert resolve_mode(WandbOptions()) == "online"
    assert resolve_mode(WandbOptions(mode="dryrun")) == "offline"


def test_a_key_in_netrc_counts_for_its_host(private_home: Path) -> None:
    """A login that W&B stored is found for its own server, and for no other."""
    (private_home / ".netrc").write_text(f"machine w.example login user password {KEY}\n")
    assert key_source("https://w.example") == "netrc"
    assert key_source("https://api.wandb.ai") == ""
    assert resolve_mode(WandbOptions(base_url="https://w.example")) == "online"


def test_online_without_a_key_halts_with_the_mend(private_home: Path) -> None:
    """The message names the server, `wandb login` and the offline mode."""
    with pytest.raises(Halt, match=r"api\.wandb\.ai.*wandb login.*RUNCAST_WANDB__MODE=offline"):
        resolve_mode(WandbOptions(mode="online"))


@pytest.mark.parametrize("mode", ["disabled", "shared"])
def test_modes_of_wandb_without_a_meaning_here(mode: str) -> None:
    """W&B's other modes halt with what to do instead."""
    with pytest.raises(Halt, match=rf"{mode}.*WANDB_MODE.*`backends`"):
        resolve_mode(WandbOptions.model_validate({"mode": mode}))


def test_bad_options_are_named() -> None:
    """An unknown mode or option, a URL with a password: refused by name, the password not shown."""
    for bad in ({"mode": "onlin"}, {"projekt": "x"}, {"base_url": "ftp://h"}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            WandbOptions.model_validate(bad)
    with pytest.raises(ValidationError, match="must not hold credentials") as caught:
        WandbOptions(base_url="https://user:secret@h")
    assert "secret" not in str(caught.value)


def test_client_missing(private_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Online without W&B's package: the doctor says how to get it."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    findings = WandbBackend.diagnose(WandbOptions(base_url="http://127.0.0.1:9"))
    [missing] = [finding for finding in findings if "not installed" in finding.what]
    assert (missing.ok, missing.mend) == (False, "pip install 'runcast[wandb]'")


def test_doctor_offline(private_home: Path, tmp_path: Path) -> None:
    """The mode and why, no key, and the folder; nothing to mend."""
    findings = WandbBackend.diagnose(WandbOptions(dir=str(tmp_path)))
    said = " | ".join(finding.what for finding in findings)
    assert all(finding.ok for finding in findings)
    assert "offline (no key)" in said
    assert f"runs go to {tmp_path / 'wandb'}" in said


def test_doctor_online(
    private_home: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is asked; a refused key shows with its mend; the key itself never shows."""
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    options = WandbOptions(base_url=server.url, dir=str(tmp_path))
    good = WandbBackend.diagnose(options)
    assert f"{server.url} answers, as me" in [finding.what for finding in good]
    server.fail(status=401)
    bad = WandbBackend.diagnose(options)
    assert [finding.ok for finding in bad].count(False) == 1
    assert "wandb login" in " ".join(finding.what + finding.mend for finding in bad)
    assert KEY not in repr([*good, *bad])


def test_doctor_names_a_folder_that_cannot_be_written(private_home: Path, tmp_path: Path) -> None:
    """A file in the folder's place is named, with the option that mends it."""
    (tmp_path / "blocked").write_text("")
    findings = WandbBackend.diagnose(WandbOptions(dir=str(tmp_path / "blocked")))
    [blocked] = [finding for finding in findings if not finding.ok]
    assert "blocked is not writable" in blocked.what
    assert "dir" in blocked.mend


def test_run_url() -> None:
    """W&B's own service shows runs under another host than its API; a server of one's own does not."""
    assert run_url(WandbOptions(), "me", "p", "r") == "https://wandb.ai/me/p/runs/r"
    assert run_url(WandbOptions(base_url="http://h:8080/"), "me", "p", "r") == "http://h:8080/me/p/runs/r"


def test_every_capability_is_declared() -> None:
    """The backend says something of its own about each feature."""
    declared = WandbBackend.capabilities
    assert all(
        getattr(declared, name).note != "not declared by this backend" for name in Capabilities.model_fields
    )
    assert runcast_backends() == [WandbBackend]


def test_importing_the_backend_imports_no_sdk() -> None:
    """The plugin can be listed without W&B's package being loaded."""
    code = "import sys, runcast.backends.wandb; sys.exit('wandb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
