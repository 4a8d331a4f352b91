"""Real processes that are killed while they register and promote, and real processes that meet."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from .processes import Processes
from .toy import FREE

sys.path += [path for path in (str(Path(__file__).parents[1] / "faults"),) if path not in sys.path]

import proxy  # found by the path above

pytestmark = pytest.mark.slow

WRITES = {
    "AddAliases", "CommitArtifact", "CreateArtifact", "CreateArtifactFiles", "CreateArtifactManifest",
    "CreateRunFiles", "LinkArtifact", "UpdateArtifact", "UpsertBucket", "file_stream", "upload",
}  # fmt: skip
"""Operations by which W&B's client changes something at the server."""


@pytest.fixture(params=["local", "mlflow", "wandb"])
def world(request: pytest.FixtureRequest, world_of: Callable[[str], Any]) -> Any:
    """Each of the three registries in turn."""
    return world_of(request.param)


@pytest.fixture
def processes(world: Any) -> Iterator[Processes]:
    """With the tracker's client imported already."""
    modules = {"mlflow": ["mlflow"], "wandb": ["wandb"], "local": []}[world.backend]
    with Processes(*modules) as made:
        yield made


class Fate:
    """Kills one process when so many requests that change something have reached a server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._victim, self._left = 0, 0
        self.met: list[str] = []

    def wait_for(self, victim: int, at: int) -> None:
        """Kill this process at that request, from now."""
        with self._lock:
            self._victim, self._left = victim, at

    def meets(self, request: str) -> None:
        """A request that changes something has come."""
        with self._lock:
            self.met.append(request)
            self._left -= 1
            if self._left == 0:
                os.kill(self._victim, signal.SIGKILL)


def survived(world: Any, model: str, number: int) -> None:
    """One version in one state, whatever happened before."""
    registry = world.registry(FREE)
    (version,) = registry.versions(model)
    assert [e.action for e in registry.history(model)] == ["registered", "promoted"]
    assert (version.stage, version.aliases) == ("production", ["production"])
    down = registry.download(model, world.folder / f"down-{number}")
    assert (down / "weights.bin").read_bytes() == b"x" * 100


def killed_everywhere(world: Any, processes: Processes, began: Callable[[int, int], None]) -> int:
    """Kill at 1, 2, 3, ... until a process lives to its end; the same again each time. Gives how many."""
    folder = str(world.folder_of("x"))
    for at in range(1, 200):
        model = f"{world.model}-{at}"
        job = {"backend": world.backend, "config": world.config, "model": model, "folder": folder}
        counted = {**job, "kill": at} if world.backend == "local" else job
        (answer,) = processes.run(counted, began=lambda pid, at=at: began(pid, at))  # type: ignore[misc]
        if answer is not None:
            assert answer.startswith("won")
            return at - 1
        (answer,) = processes.run(job, began=lambda pid: began(pid, 0))
        assert answer is not None
        assert answer.startswith("won"), (at, answer)
        survived(world, model, at)
    raise AssertionError("it never lived to its end")


@pytest.fixture
def fate(world: Any, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fate]:
    """What the tracker's server calls; MLflow's is behind a proxy from now on."""
    made = Fate()
    if world.backend == "wandb":
        server = request.getfixturevalue("wandb_server")
        take = server.faults.take

        def meets(operation: str) -> Any:
            if operation in WRITES:
                made.meets(operation)
            return take(operation)

        monkeypatch.setattr(server.faults, "take", meets)
    if world.backend != "mlflow":
        yield made
        return
    with proxy.network(urlsplit(world.config["mlflow"]["uri"]).port) as network:
        answer = network.answer

        def answers(method: str, path: str, headers: dict[str, str], body: bytes) -> Any:
            found = answer(method, path, headers, body)
            if method != "GET":
                made.meets(f"{method} {path}")
            return found

        monkeypatch.setattr(network, "answer", answers)
        world.config["mlflow"] = {"uri": network.uri}
        yield made


def test_killed_anywhere(world: Any, processes: Processes, fate: Fate) -> None:
    """At each request that changes something: the same again gives one version and one state."""
    kills = killed_everywhere(world, processes, fate.wait_for)
    assert kills >= {"local": 50, "mlflow": 10, "wandb": 15}[world.backend], fate.met[-40:]


def test_four_register_the_same(world: Any, processes: Processes) -> None:
    """Four processes that register and promote the same folder at the same time have made one version."""
    folder = str(world.folder_of("x"))
    job = {"backend": world.backend, "config": world.config, "model": world.model, "folder": folder}
    answers = processes.run(job, job, job, job)
    (version,) = world.registry(FREE).versions(world.model)
    assert version.stage == "production"
    assert {answer for answer in answers if answer.startswith("won")} == {f"won: {version}"}
    assert len(answers) == 4
    moves = [e for e in world.registry(FREE).history(world.model) if e.alias and e.state != "lost"]
    assert [(move.action, move.version) for move in moves] == [("promoted", version.version)]


def test_four_at_once(world: Any, processes: Processes) -> None:
    """Of four processes that promote at the same time, each one won or was told; the history is one chain."""
    registry = world.registry(FREE)
    versions = [registry.register(world.model, world.folder_of(text)) for text in "abcde"]
    registry.promote(str(versions[0]), "production")
    job = {"backend": world.backend, "config": world.config, "model": world.model}
    answers = processes.run(*({**job, "promote": str(version)} for version in versions[1:]))

    assert len(answers) == 4
    assert all(answer.startswith(("won: ", "told: ")) for answer in answers), answers
    assert all("somebody else" in a or "right now" in a for a in answers if a.startswith("told"))
    history = [e for e in registry.history(world.model) if e.alias and e.state != "lost"]
    won = {answer.removeprefix("won: ") for answer in answers if answer.startswith("won")}
    assert {f"{world.model}:v{event.version}" for event in history[1:]} == won
    assert won
    chain = sorted(history, key=lambda event: event.order)
    assert [event.previous for event in chain[1:]] == [event.version for event in chain[:-1]]
    holders = [v.version for v in registry.versions(world.model) if "production" in v.aliases]
    assert holders == [chain[-1].version]
    registry.rollback(world.model)
    assert registry.get(f"{world.model}/production").version == chain[-2].version
