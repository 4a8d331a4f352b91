"""Delivery in threads beside the courier's process, and what neither of them writes down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import runcast

from .processes import listed


def test_delivery_in_threads_needs_no_process(fake: Any) -> None:
    """Notebooks and tests: the same code, in this process."""
    before = {line.split()[0] for line in listed()}
    with runcast.start("exp", backends=["fake"], config=fake.config(delivery="thread")) as run:
        run.log({"loss": 1.0}, step=0)

    assert fake.steps(run.id) == [0]
    new = [line for line in listed() if line.split()[0] not in before and "courier" in line]
    assert [line for line in new if str(fake.root) in line] == []


def test_a_class_of_the_script_is_a_backend(fake: Any) -> None:
    """A backend that exists only in the running script is delivered in a thread, beside the others."""
    from runcast.plugins import Backend, Capabilities, Receipt, Ref

    seen: list[Any] = []

    class Mine(Backend):
        name = "mine"
        capabilities = Capabilities()

        def open(self, run: Any) -> Ref:
            return Ref(id="mine-1")

        def deliver(self, batch: Any) -> Receipt:
            seen.extend(batch)
            return Receipt()

    with runcast.start("exp", backends=["fake", Mine], config=fake.config()) as run:
        run.log({"loss": 1.0}, step=4)

    assert [record.step for record in seen if hasattr(record, "step")] == [4]
    assert fake.steps(run.id) == [4]
    assert set(run.refs) == {"fake", "mine"}


@pytest.mark.fault(
    "F27",
    how="a password in a backend's options",
    outcome="travels in memory; masked on disk",
)
def test_a_secret_in_the_options_is_not_on_disk(fake: Any) -> None:
    """Options travel to the courier in memory; the journal holds them masked."""
    secret = "hunter2hunter2"
    options = {**fake.options, "folder": f"{fake.folder}"}
    config = fake.config()
    config["fake"] = {**options, "control": str(fake.control)}
    with runcast.start("exp", params={"password": secret}, backends=["fake"], config=config) as run:
        run.log({"loss": 1.0})

    files = [path for path in (fake.root / "rc").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert json.loads(json.dumps(fake.received(run.id)))[1]["values"]["password"] != secret


@pytest.mark.fault(
    "F27",
    how="every file and folder that is made",
    outcome="0600 and 0700",
)
def test_what_is_written_is_private(fake: Any) -> None:
    """Folders 0700, files 0600 (blobs 0400)."""
    note = Path("note.txt")
    note.write_text("x")
    with runcast.start("exp", backends=["fake"], config=fake.config()) as run:
        run.log_artifact(note)

    for path in (fake.root / "rc").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
