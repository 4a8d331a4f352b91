"""A real MLflow server behind a bad network: down, hung, failing, too busy, refusing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runcast import codec, hosts
from runcast.backends.mlflow import manners
from runcast.backends.wandb.probe import ask
from runcast.courier.delivery import Delivery
from runcast.courier.folder import DeliveryFolder
from runcast.courier.pace import CAP, LONGEST_AFTER, Backoff
from runcast.errors import Retry
from runcast.journal import JournalWriter
from runcast.plugins.manager import backend_class
from runcast.records import Metrics
from runcast.testing import FakeClock

from ..backends.mlflow.servers import MlflowServer, free_port, stub
from .project import KEY, Project, value
from .proxy import Network, network, refusal
from .readers import history

POINTS = 300


@pytest.fixture
def net(server: MlflowServer) -> Iterator[Network]:
    """The network in front of it."""
    with network(server.port) as state:
        yield state


class Journey:
    """One run on its way to that server, on a clock of its own."""

    def __init__(self, project: Project, net: Network) -> None:
        self.project, self.net = project, net
        self.run = project.crashed_run(POINTS)
        self.clock = FakeClock()
        self.waits: list[float] = []
        self.delivery = Delivery(project.layout, "mlflow", lambda: backend_class("mlflow"), clock=self.clock)
        self.options = {"uri": net.uri, "timeout": 1.0}
        self.delivery.add(self.run, self.options)

    def go(self, steps: int = 40) -> bool:
        """Work until the run is there, or so many attempts have failed; True where it is there."""
        for _ in range(steps):
            wait = self.delivery.work()
            if not self.delivery.lanes:
                return True
            if self.delivery.paused:
                return False
            if wait:
                self.waits.append(wait)
                self.clock.advance(wait)
        return False

    @property
    def folder(self) -> DeliveryFolder:
        """What the courier keeps."""
        return DeliveryFolder(self.project.layout.delivery(self.run, "mlflow"))

    def history(self, server: MlflowServer, key: str = KEY) -> list[tuple[int, float]]:
        """(step, value) of each point, by MLflow's own REST interface, around the network."""
        ref = self.folder.load_cursor().ref
        assert ref is not None
        return history(server.uri, ref.id, key)


SAID = [(step, value(step)) for step in range(POINTS)]


@pytest.fixture
def journey(tmp_path: Path, net: Network) -> Journey:
    """A run that waits to be delivered."""
    return Journey(Project(tmp_path / "project", ("mlflow",)), net)


@pytest.mark.fault(
    "F08",
    how="a real MLflow server that is stopped, and started again after seven failures",
    outcome="tried again with growing delays; all there once it is back, each point once",
)
def test_a_server_that_is_down_gets_everything_later(server: MlflowServer, tmp_path: Path) -> None:
    """Refused connections delay the delivery, and nothing else."""
    with network(free_port()) as nobody:
        journey = Journey(Project(tmp_path / "project", ("mlflow",)), nobody)
        journey.options["uri"] = f"http://127.0.0.1:{nobody.target}"
        journey.delivery.add(journey.run, dict(journey.options))
        assert not journey.go(7)
        assert journey.folder.load_status().state == "retrying"
        assert nobody.requests == 0
        journey.delivery.add(journey.run, {"uri": server.uri, "timeout": 10.0})
        journey.clock.advance(CAP)
        assert journey.go()

    assert sorted(journey.history(server)) == SAID


@pytest.mark.fault(
    "F09",
    how="a proxy that takes requests and never answers",
    outcome="each attempt ends at its timeout; all there once the server answers, each point once",
)
def test_a_server_that_hangs_gets_everything_later(journey: Journey, server: MlflowServer) -> None:
    """A black hole costs the courier one timeout an attempt."""
    journey.net.mode = "hang"
    assert not journey.go(2)
    assert "does not answer" in journey.folder.load_status().error
    journey.net.mode = "ok"
    journey.net.over.set()

    assert journey.go()
    assert sorted(journey.history(server)) == SAID


@pytest.mark.fault(
    "F11",
    how="a proxy that answers 500, 502, 503, 504, then cuts off answers to requests that were carried out",
    outcome="full-jitter retries; the breaker opens and closes; no point twice",
)
def test_bursts_of_errors_and_cut_answers_double_nothing(journey: Journey, server: MlflowServer) -> None:
    """Whatever the server did before its answer was lost is not done twice."""
    journey.net.canned.extend(refusal(status) for status in (500, 502, 503, 504, 500, 503))
    for _ in range(6):
        journey.go(1)
    assert journey.delivery._breaker.open
    for nth in range(
        1, 40
    ):  # the first attempt loses the answer to its first request, the next to its second
        journey.net.cut_in = nth
        if journey.go(1):
            break
    assert nth > 5

    assert not journey.delivery._breaker.open
    assert all(0 <= wait <= CAP for wait in journey.waits)
    assert sorted(journey.history(server)) == SAID


AFTER = {
    "2": 2.0,
    "0": 0.0,
    "1000000000": LONGEST_AFTER,
    "-1": 0.0,
    "NaN": 0.0,
    "1e9": 0.0,
    "soon": 0.0,
    "": 0.0,
}


@pytest.mark.fault(
    "F12",
    how="a W&B server that answers 429 with `Retry-After` 2, 0, 1000000000, -1, NaN, 1e9, text, nothing",
    outcome="seconds are honoured, clamped to 300; what is no number of seconds is ignored",
)
@pytest.mark.parametrize("header", AFTER)
def test_retry_after_is_honoured_within_bounds(monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    """The wish of a busy server counts, nonsense does not, and nobody is made to wait for years."""
    monkeypatch.setenv("WANDB_API_KEY", "fake" * 10)
    with stub(429, Retry_After=header) as uri, pytest.raises(Retry) as caught:
        ask(uri)

    assert Backoff(draw=lambda: 0.0).fail(caught.value.after) == AFTER[header]


@pytest.fixture
def shared_time(journey: Journey, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock of the first journey, also as that of the budgets of hosts."""
    began = 1_800_000_000.0
    monkeypatch.setattr(hosts, "now", lambda: began + journey.clock())
    monkeypatch.setattr(manners, "sleep", journey.clock.advance)
    return journey.clock


@pytest.mark.fault(
    "F12",
    how="an MLflow server that answers 429 with such headers, and with a date",
    outcome="seconds and dates are honoured, at most 300 s; nonsense is ignored; all there afterwards",
)
def test_a_busy_mlflow_is_left_alone_for_a_while(
    journey: Journey, server: MlflowServer, shared_time: FakeClock
) -> None:
    """Too many requests delay the delivery by what the server asks for, and nothing else."""
    dates = "Fri, 31 Dec 2100 23:59:59 GMT"
    journey.net.canned.extend(
        refusal(429, "REQUEST_LIMIT_EXCEEDED", Retry_After=text) for text in (*AFTER, dates)
    )
    assert journey.go()
    assert all(0 <= wait < LONGEST_AFTER + 0.001 for wait in journey.waits)
    assert len([wait for wait in journey.waits if wait > LONGEST_AFTER - 1]) == 2
    assert sorted(journey.history(server)) == SAID


@pytest.mark.fault(
    "F12",
    how="an MLflow server that answers 429 with `Retry-After: 90` to one process of two",
    outcome="neither sends a request before the time is over; all of both there afterwards",
)
def test_a_busy_host_is_left_alone_by_all(
    journey: Journey, server: MlflowServer, shared_time: FakeClock, tmp_path: Path
) -> None:
    """What one courier hears, the other heeds, without a question of its own."""
    net = journey.net
    net.canned.append(refusal(429, "REQUEST_LIMIT_EXCEEDED", Retry_After="90"))
    other = Journey(Project(tmp_path / "other", ("mlflow",)), net)
    assert journey.delivery.work() == 90.0
    assert "asks for 90 s of rest" in journey.folder.load_status().error
    shared_time.advance(5.0)

    assert other.delivery.work() == 85.0
    assert "left alone for 85 s more" in other.folder.load_status().error
    assert net.requests == 1
    shared_time.advance(85.0)
    other.clock.advance(85.0)
    assert other.go()
    assert journey.go()
    for one in (journey, other):
        assert sorted(one.history(server)) == SAID


@pytest.mark.fault(
    "F13",
    how="a server that answers 400 to every request that holds one certain name",
    outcome="the batch is bisected: all others arrive, that one stands in `rejected.jsonl` with the reason",
)
def test_one_refused_record_does_not_hold_up_the_others(
    net: Network, server: MlflowServer, tmp_path: Path
) -> None:
    """Its neighbours arrive, the cursor moves on, and the report names it."""
    project = Project(tmp_path / "project", ("mlflow",))
    journey = Journey(project, net)
    writer = JournalWriter(project.layout.journal(journey.run), journey.run, process="gone", generation=1)
    for step in (7, 8):
        writer.append(
            codec.encode(Metrics(time=step * 10**9, step=step, values={"poison": 1.0, "other": 2.0}))
        )
    writer.close()
    net.poison = b"poison"

    journey.go()
    cursor = journey.folder.load_cursor()
    rejected = journey.folder.load_rejected()
    assert [entry["record"]["values"] for entry in rejected] == [{"poison": 1.0}] * 2
    assert all("400" in entry["reason"] for entry in rejected)
    assert (cursor.rejected, cursor.records) == (2, POINTS + 4)
    assert sorted(journey.history(server)) == SAID
    assert sorted(journey.history(server, "other")) == [(7, 2.0), (8, 2.0)]


@pytest.mark.fault(
    "F14",
    how="a server that answers 401, until the password is mended",
    outcome="this backend pauses and names the variables to set; after the mend everything arrives",
)
def test_a_refused_password_pauses_and_loses_nothing(journey: Journey, server: MlflowServer) -> None:
    """Said once, not tried for ever; and the delivery goes on where it stopped."""
    journey.net.canned.append(refusal(401, "UNAUTHENTICATED"))
    assert not journey.go()
    before = journey.net.requests
    assert not journey.go(5)
    assert journey.net.requests == before
    status: Any = journey.folder.load_status()
    assert (status.state, "MLFLOW_TRACKING_PASSWORD" in status.error) == ("paused", True)
    journey.delivery.add(journey.run, journey.options)

    assert journey.go()
    assert sorted(journey.history(server)) == SAID
