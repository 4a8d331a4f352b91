"""Runs to deliver to, and a real TensorBoard to look at them with."""

import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from runcast.backends.tensorboard import TensorBoardBackend, TensorBoardOptions
from runcast.formats import tfevents
from runcast.plugins import Change, OpenRun, Ref
from runcast.records import Record, RunStarted

WRITER = "a" * 16
START = 1_700_000_000_123_456_789


class Delivery:
    """One run and its backend, driven as the courier does: state is kept by value."""

    def __init__(self, base: Path, experiment: str, name: str, run: str, **started: Any) -> None:
        self.base, self.run = base, run
        self.started = RunStarted(
            time=START,
            writer=WRITER,
            seq=1,
            run=run,
            experiment=experiment,
            name=name,
            base=str(base),
            **started,
        )
        self.folder = base / "private" / run
        self.folder.mkdir(parents=True, exist_ok=True)
        self.state = "{}"
        self.changes: list[Change] = []
        self.backend: TensorBoardBackend | None = None
        self.ref = Ref("")
        self.parent: Ref | None = None

    def open(self, save: bool = True) -> "Delivery":
        """Open a new instance from the state saved last."""
        self.backend = TensorBoardBackend(TensorBoardOptions())
        self.opened = OpenRun(
            id=self.run,
            started=self.started,
            folder=self.folder,
            blobs=self.base / "blobs",
            state=json.loads(self.state),
            parent=self.parent,
        )
        self.ref = self.backend.open(self.opened)
        if save:
            self.save()
        return self

    def save(self) -> None:
        """What the courier does once `deliver` has returned."""
        self.state = json.dumps(self.opened.state)

    def deliver(self, *records: Record, save: bool = True) -> Sequence[Change]:
        """Deliver one batch."""
        assert self.backend is not None
        receipt = self.backend.deliver(records)
        self.changes += receipt.changes
        if save:
            self.save()
        return receipt.changes

    def close(self) -> None:
        """End the instance in an orderly way."""
        assert self.backend is not None
        self.backend.close()
        self.backend = None

    @property
    def path(self) -> Path:
        """The run's folder."""
        return Path(self.ref.url)

    @property
    def events_file(self) -> Path:
        """The file of scalars and texts."""
        (path,) = (p for p in self.path.glob("events.out.tfevents.*") if ".hparams." not in p.name)
        return path

    def events(self) -> list[tfevents.Event]:
        """What our reader finds, the file's version left out."""
        with self.events_file.open("rb") as file:
            reader = tfevents.FrameReader(file)
            events = list(tfevents.read(reader))
        assert (reader.damaged, reader.offset) == (0, self.events_file.stat().st_size)
        return [event for event in events if event.values]

    def points(self) -> list[tuple[int, int, str, Any]]:
        """Time, step, tag and value of every scalar."""
        return [
            (e.time, e.step, v.tag, v.value) for e in self.events() for v in e.values if v.kind == "scalar"
        ]

    def document(self) -> dict[str, Any]:
        """What stands in runcast.json."""
        return json.loads((self.path / "runcast.json").read_text())


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Callable[..., Delivery]]:
    """Make runs under one project folder; `delivery(name="a", experiment="b")` opens one."""
    made: list[Delivery] = []

    def make(name: str = "sgd", experiment: str = "digits", run: str = "run-1", **started: Any) -> Delivery:
        made.append(Delivery(tmp_path, experiment, name, run, **started))
        return made[-1].open()

    yield make
    for one in made:
        if one.backend is not None:
            one.close()


class Server:
    """A running TensorBoard."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, body: Any = None, **query: str) -> Any:
        """The JSON answer of an endpoint; with a body by POST."""
        url = f"{self.url}/data/{path}?{urllib.parse.urlencode(query)}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def scalars(self, run: str, tag: str) -> list[list[Any]]:
        """Wall time, step and value of the points that the scalar dashboard shows."""
        return self.get("plugin/scalars/scalars", run=run, tag=tag)

    def sessions(self) -> dict[str, dict[str, Any]]:
        """Run → its session as the HParams dashboard shows it."""
        statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
        params = self.get("plugin/hparams/experiment", {}).get("hparamInfos", [])
        body = {"startIndex": 0, "sliceSize": 1000, "allowedStatuses": statuses}
        body["colParams"] = [{"hparam": info["name"]} for info in params]
        groups = self.get("plugin/hparams/session_groups", body).get("sessionGroups", [])
        return {
            session["name"]: session | {"hparams": group.get("hparams", {})}
            for group in groups
            for session in group["sessions"]
        }

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        """Poll until `condition` gives something true; an HTTP error counts as not yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if result := condition():
                    return result
            except urllib.error.HTTPError as error:
                error.close()
            except (urllib.error.URLError, KeyError):
                pass
            threading.Event().wait(0.05)
        raise AssertionError(f"TensorBoard never showed {what}")


@contextmanager
def tensorboard(logdir: Path) -> Iterator[Server]:
    """TensorBoard's own server with its default data server, on a free port of the loopback."""
    arguments = ["--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0", "--reload_interval", "1"]
    arguments += ["--samples_per_plugin", "scalars=100000", "--load_fast", "true"]
    log = logdir.parent / "tensorboard.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "tensorboard.main", *arguments], stderr=output)
    try:
        server = Server("")
        found = server.wait(lambda: re.search(r"http://[\d.]+:\d+", log.read_text()), "its address")
        server.url = found[0]
        yield server
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def start_tensorboard() -> Callable[[Path], Any]:
    """`tensorboard`, for modules that start one."""
    return tensorboard


@pytest.fixture(scope="session")
def start_delivery() -> type[Delivery]:
    """`Delivery`, for modules that share runs among their tests."""
    return Delivery
