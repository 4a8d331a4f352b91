"""Every tracker fails at the same time, each in its own way; the script notices nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.courier.catchup import deliver, find_pending
from runcast.courier.folder import DeliveryFolder
from runcast.journal import Layout

from ..backends.mlflow.servers import MlflowServer
from ..courier.processes import couriers, until
from .project import KEY, Project, value
from .proxy import network
from .readers import history, read

CALLS = 1000
TRACKERS = ("wandb", "tensorboard", "local")
FAILING = {
    "impatient": "deadline",  # slow: an answer comes byte by byte
    "fake": "deadline",  # hung
    "other": "is down",  # dead
    "wandb": "wandb",  # refuses: a file stands where its folder should be
    "tensorboard": "tensorboard",
    "local": "place",
}
"""Backend → what its status says."""


@pytest.mark.fault(
    "F09",
    how="a tracker whose call never returns, beside others that fail in other ways",
    outcome="its worker is killed at its deadline and started again; nobody waits for it",
)
@pytest.mark.fault(
    "F10",
    how="a proxy that brings the answers of a real MLflow server at 2.5 bytes a second",
    outcome="the worker is killed at its deadline, though bytes keep coming; all there after the mend",
)
def test_a_script_whose_trackers_all_fail_notices_nothing(fake: Any, server: MlflowServer) -> None:
    """No call raises or waits, the run ends in time, and after the mend each tracker has everything once."""
    project = Project(fake.root, TRACKERS)
    layout = project.layout
    with network(server.port) as net:
        net.mode = "drip"
        other = fake.root / "other"
        places = [fake.root / name for name in ("wandb", "tensorboard", "place")]
        for place in places:
            place.write_text("in the way")
        other.write_text("down")
        fake.set("hang")
        config = project.config(finish_timeout=1.0)
        config["local"] = {"path": str(fake.root / "place" / "catalog.db")}
        config["impatient"] = {"uri": net.uri, "timeout": 5.0}
        config["fake"] = fake.options
        config["other"] = {"folder": f"{fake.folder}-other", "control": str(other)}

        with runcast.start("exp", backends=list(FAILING), config=config) as run:
            began = time.monotonic()
            for step in range(CALLS):
                run.log({KEY: value(step)}, step=step)
            run.finish()
            assert time.monotonic() - began < 30.0  # the trackers' own clients would take minutes
        until(lambda: all(word in _error(layout, run.id, name) for name, word in FAILING.items()), 90.0)
        for line in couriers(fake):
            os.kill(int(line.split()[0]), signal.SIGKILL)  # as at a reboot, after which a person mends things
        for place in places:
            place.unlink()
        other.write_text("ok")
        fake.set("ok")
        net.mode = "ok"
        net.over.set()
        until(lambda: deliver(layout, find_pending(layout, {}), 90.0) and not find_pending(layout, {}), 120.0)

    said = [(step, value(step)) for step in range(CALLS)]
    for name in TRACKERS:
        seen = read(project, run.id, name)
        assert (name, seen.count, seen.status) == (name, CALLS, "finished")
        assert sorted(seen.points) in (said, said[-1:])
    assert fake.steps(run.id) == list(range(CALLS))
    found = _received(Path(f"{fake.folder}-other"), run.id)
    assert [r["step"] for r in found if r["kind"] == "metrics"] == list(range(CALLS))
    ref = DeliveryFolder(layout.delivery(run.id, "impatient")).load_cursor().ref
    assert ref is not None
    assert sorted(history(server.uri, ref.id)) == said


def _received(folder: Path, run: str) -> Any:
    import fake_tracker  # the fixture has put it on the path

    return fake_tracker.received(folder, run)


def _error(layout: Layout, run: str, backend: str) -> str:
    return DeliveryFolder(layout.delivery(run, backend)).load_status().error
