"""Sweeps: configurations in a queue, handed out to agents one after the other."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import Refused
from .paging import Connection, page
from .projects import Project
from .run_writing import Input
from .state import State
from .things import Thing

Config = dict[str, Any]


@dataclass(eq=False)
class Sweep(Thing):
    """One sweep.

    Attributes:
        config: the description as the client sent it, in YAML.
        queue: configurations that no agent has asked for yet.
        handed_out: run id → its configuration.
    """

    project: Project
    name: str
    config: str
    display_name: str | None = None
    description: str | None = None
    controller: str | None = None
    scheduler: str | None = None
    state: str = "PENDING"
    queue: list[Config] = field(default_factory=list)
    handed_out: dict[str, Config] = field(default_factory=dict)
    early_stop_job_running = False

    def __post_init__(self) -> None:
        super().__post_init__()
        described = yaml.safe_load(self.config)
        self.method = described.get("method")
        self.program = described.get("program")
        self.description = self.description or described.get("description")
        self.display_name = self.display_name or described.get("name")
        self._metric = described.get("metric") or {}
        self.queue = _configurations(described)
        self.run_count_expected = len(self.queue)

    @property
    def heartbeat_at(self) -> str:
        """When it was last changed."""
        return self.updated_at

    @property
    def members(self) -> list[Any]:
        """Its runs."""
        return [run for run in self.project.stored_runs.values() if run.sweep is self]

    @property
    def run_count(self) -> int:
        """How many runs it has."""
        return len(self.members)

    def runs(self, first: Any = None, after: Any = None) -> Connection:
        """Its runs, the newest first."""
        return page(reversed(self.members), after, first)

    @property
    def best_loss(self) -> float | None:
        """The best value of the metric that it goes by."""
        values = [run.summary.get(self._metric.get("name")) for run in self.members]
        found = [value for value in values if isinstance(value, (int, float))]
        best = max if self._metric.get("goal") == "maximize" else min
        return best(found, default=None)

    def next_run(self) -> dict[str, Any] | None:
        """A command that starts the next run, or None when there is none."""
        if not self.queue:
            return None
        config = self.queue.pop(0)
        name = f"{self.name}-{len(self.handed_out)}"
        self.handed_out[name] = config
        arguments = {key: {"value": value} for key, value in config.items()}
        return {"type": "run", "run_id": name, "program": self.program, "args": arguments, "logs": []}

    def look(self, key: str) -> Any:
        """How a filter's keys read."""
        known = {"state": "state", "name": "name", "display_name": "display_name", "created_at": "created_at"}
        return getattr(self, known[key])


def _configurations(described: Config) -> list[Config]:
    """Every point of a grid; of a random search as many points as its `run_cap`, drawn from a fixed seed."""
    parameters = described["parameters"]
    if described.get("method") == "grid":
        axes = [[(name, value) for value in _values(name, p)] for name, p in parameters.items()]
        points = [dict(point) for point in itertools.product(*axes)]
        return points[: described.get("run_cap") or len(points)]
    if described.get("method") == "random":
        draw = random.Random(0)  # noqa: S311 - a search, no secret
        return [
            {name: _drawn(draw, name, p) for name, p in parameters.items()}
            for _ in range(described.get("run_cap") or 10)
        ]
    raise Refused(f"sweeps by {described.get('method')} are not known here: grid and random are")


def _values(name: str, parameter: Config) -> list[Any]:
    if "value" in parameter:
        return [parameter["value"]]
    if "values" in parameter:
        return list(parameter["values"])
    raise Refused(f"a grid over {name} needs `values`")


def _drawn(draw: random.Random, name: str, parameter: Config) -> Any:
    if "min" in parameter and "max" in parameter:
        low, high = parameter["min"], parameter["max"]
        return (
            draw.randint(low, high)
            if isinstance(low, int) and isinstance(high, int)
            else draw.uniform(low, high)
        )
    return draw.choice(_values(name, parameter))


@dataclass(eq=False)
class Agent(Thing):
    """Someone who asks for runs of a sweep."""

    sweep: Sweep
    host: str


class SweepMutations:
    """The mutations of sweeps and their agents."""

    home: State

    def upsert_sweep(self, input: Input) -> dict[str, Any]:
        """Make a sweep, or change it."""
        for key in ("launch_scheduler", "template_variable_values", "prior_runs_filters"):
            if input.get(key) not in (None, "", "{}", "null"):
                raise LookupError(f"sweeps with {key} are not known here")
        sweep = _wanted(self.home, input)
        for key in ("description", "display_name", "controller", "scheduler", "state"):
            if input.get(key) is not None:
                setattr(sweep, key, input[key])
        return {"sweep": sweep, "configValidationWarnings": []}

    def create_agent(self, input: Input) -> dict[str, Any]:
        """Register an agent."""
        project = self.home.project(input.get("entity_name"), input.get("project_name"))
        sweep = project.sweep(input["sweep"])
        if sweep is None:
            raise Refused(f"sweep {input['sweep']} not found")
        if sweep.state == "PENDING":
            sweep.state = "RUNNING"
        return {"agent": Agent(self.home, sweep, input["host"])}

    def agent_heartbeat(self, input: Input) -> dict[str, Any]:
        """Tell an agent what to do: one run at a time, and to leave when none is left."""
        agent: Agent = self.home.find(Agent, input["id"])
        busy = [name for name, active in json.loads(input.get("run_state") or "{}").items() if active]
        return {"agent": agent, "commands": json.dumps(_commands(agent.sweep, busy))}


def _wanted(home: State, input: Input) -> Sweep:
    if input.get("id"):
        found: Sweep = home.find(Sweep, input["id"])
        return found
    project = home.project_made(input.get("entity_name"), input.get("project_name"))
    if not input.get("config"):
        raise Refused("a sweep needs a config")
    name = f"sweep{len(project.stored_sweeps)}"
    project.stored_sweeps[name] = Sweep(home, project, name, input["config"])
    return project.stored_sweeps[name]


def _commands(sweep: Sweep, busy: list[str]) -> list[dict[str, Any]]:
    if sweep.state == "CANCELED":
        return [*({"type": "stop", "run_id": name} for name in busy), {"type": "exit"}]
    if busy or sweep.state == "PAUSED":
        return []
    command = sweep.next_run() if sweep.state == "RUNNING" else None
    if command is None:
        sweep.state = "FINISHED"
        return [{"type": "exit"}]
    return [command]
