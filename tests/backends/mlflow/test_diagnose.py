"""What ``runcast doctor`` says about MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcast.backends.mlflow import MlflowBackend, MlflowOptions, runcast_backends
from runcast.plugins import Capabilities, Finding

from .servers import free_port, stub


def doctor(uri: str) -> Finding:
    """The finding about the store; the one about the package comes first."""
    package, store = MlflowBackend.diagnose(MlflowOptions(uri=uri))
    assert package.ok
    assert package.what.startswith("mlflow 3.")
    return store


def test_a_writable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is not there yet is fine where its folder can be made; nothing is created."""
    monkeypatch.chdir(tmp_path)
    finding = doctor("sqlite:///new/mlflow.db")

    assert finding.ok
    assert str(tmp_path / "new/mlflow.db") in finding.what
    assert list(tmp_path.iterdir()) == []


def test_a_folder_store() -> None:
    """The file store is named, with what to set instead."""
    finding = doctor("./mlruns")

    assert not finding.ok
    assert "sqlite:///mlflow.db" in finding.mend


@pytest.mark.parametrize(("status", "ok"), [(200, True), (401, True), (404, False), (500, False)])
def test_a_server(status: int, ok: bool) -> None:
    """It answers, it wants credentials, or it is no MLflow; no password in the text."""
    with stub(status) as uri:
        finding = doctor(uri.replace("http://", "http://ada:s3cret@"))

    assert finding.ok is ok
    assert "s3cret" not in finding.what
    assert bool(finding.mend) is not ok


def test_no_server() -> None:
    """A server that is away comes with the command that starts one."""
    finding = doctor(f"http://ada:s3cret@127.0.0.1:{free_port()}")

    assert not finding.ok
    assert "mlflow server" in finding.mend
    assert "s3cret" not in finding.what


@pytest.mark.parametrize(
    ("uri", "ok"), [("postgresql+psycopg://host/x", True), ("mssql+nodriver://ada:s3cret@host/x", False)]
)
def test_drivers(uri: str, ok: bool) -> None:
    """A database's driver is looked for without connecting."""
    finding = doctor(uri)

    assert finding.ok is ok
    assert "s3cret" not in finding.what


def test_every_capability_is_declared() -> None:
    """No gap is left to the default, and everything but plain native slots has a note."""
    (backend,) = runcast_backends()
    declared = backend.capabilities

    assert set(declared.model_fields_set) == set(Capabilities.model_fields)
    assert all(support.note for _, support in declared if support.level != "native")
