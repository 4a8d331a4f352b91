"""Sweeps, with the agents of W&B's own client."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wandb_server import Server

# The client's own use of what it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Read the `app_url` setting:DeprecationWarning")

GRID = {
    "method": "grid",
    "name": "small",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [0.1, 0.2]}, "depth": {"value": 3}},
}

AGENT = """
import sys, wandb
from wandb.agents.pyagent import Agent

Agent.HEARTBEAT_SLEEP_SECONDS = 0.1

def train():
    with wandb.init(settings=wandb.Settings(console="off", x_disable_stats=True)) as run:
        run.log({"loss": run.config.lr * run.config.depth})

wandb.agent(sys.argv[1], function=train, project="digits", entity="me", count=int(sys.argv[2]))
"""


def agent(sweep: str, count: int, folder: Path) -> None:
    """An agent in a process of its own: it changes the environment that it is in."""
    script = folder / "agent.py"
    script.write_text(AGENT)
    words = [sys.executable, str(script), sweep, str(count)]
    done = subprocess.run(words, env=dict(os.environ), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_grid_is_run(client: Any, server: Server, tmp_path: Path) -> None:
    """Each point of the grid is one run of the sweep, with its configuration and its result."""
    name = client.sweep(GRID, project="digits", entity="me")
    before = client.Api().sweep(f"me/digits/{name}")
    assert (before.state, before.config["parameters"]) == ("PENDING", GRID["parameters"])
    agent(name, 2, tmp_path)
    sweep = client.Api().sweep(f"me/digits/{name}")
    assert sorted(run.config["lr"] for run in sweep.runs) == [0.1, 0.2]
    assert all(run.config["depth"] == 3 and run.sweep_name == name for run in sweep.runs)
    assert sweep.best_run().config["lr"] == 0.1
    assert {run.state for run in server.runs.values()} == {"finished"}
    assert server.state.project("me", "digits").sweep(name).queue == []


def test_sweeps_are_listed_and_paused(client: Any, server: Server, start: Any, command: Any) -> None:
    """A sweep's name, its expected runs and its state; the state is changed by W&B's own command."""
    name = client.sweep(GRID, project="digits", entity="me")
    start(id="r1", settings={"sweep_id": name}).finish()
    project = client.Api().project("digits", "me")
    [sweep] = project.sweeps()
    assert [run.id for run in sweep.runs] == ["r1"]
    assert (sweep.id, sweep.name, sweep.expected_run_count) == (name, "small", 2)
    stored = server.state.project("me", "digits").sweep(name)
    stored.state = "RUNNING"
    command("sweep", "--pause", f"me/digits/{name}")
    assert client.Api().sweep(f"me/digits/{name}").state == stored.state == "PAUSED"


def test_agents_are_told_one_thing_at_a_time(client: Any, server: Server) -> None:
    """A busy agent gets nothing new; one of a cancelled sweep is told to stop and to leave."""
    from wandb_server.root import Root

    root: Root = server.root
    name = client.sweep(GRID, project="digits", entity="me")
    asked = {"host": "h", "project_name": "digits", "entity_name": "me", "sweep": name}
    known = root.create_agent(asked)["agent"].id

    def beat(run_state: str) -> str:
        return str(root.agent_heartbeat({"id": known, "run_state": run_state})["commands"])

    assert '"type": "run"' in beat("{}")
    assert beat('{"a": true}') == "[]"
    server.state.project("me", "digits").sweep(name).state = "CANCELED"
    assert beat('{"a": true}') == '[{"type": "stop", "run_id": "a"}, {"type": "exit"}]'


def test_a_random_search(client: Any, server: Server, tmp_path: Path) -> None:
    """A random search draws as many points as its cap, between its bounds."""
    search = {"method": "random", "run_cap": 5, "parameters": {
        "lr": {"min": 0.0, "max": 1.0}, "n": {"min": 1, "max": 3}, "o": {"values": ["a", "b"]}}}  # fmt: skip
    name = client.sweep(search, project="digits", entity="me")
    drawn = server.state.project("me", "digits").sweep(name).queue
    assert len(drawn) == 5
    assert all(0 <= p["lr"] <= 1 and p["n"] in (1, 2, 3) and p["o"] in "ab" for p in drawn)
