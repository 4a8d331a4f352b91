"""Runs to deliver to, and a real TensorBoard to look at them with."""

import hashlib
import io
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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runcast.backends.tensorboard import TensorBoardBackend, TensorBoardOptions
from runcast.formats import tfevents
from runcast.plugins import Change, OpenRun, Ref
from runcast.records import FileRef, Media, Record, RunStarted

from ...support.listening import only_on_loopback

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
        self.dead: list[TensorBoardBackend] = []
        self.ref = Ref("")
        self.parent: Ref | None = None

    def open(self, save: bool = True) -> "Delivery":
        """Open a new instance from the state saved last; one that is open dies as it is."""
        if self.backend is not None:
            self.dead.append(self.backend)
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

    def bury(self) -> None:
        """Let go of what all instances hold; nothing is looked at afterwards."""
        for backend in (*self.dead, *([self.backend] if self.backend is not None else [])):
            with suppress(OSError):
                backend.close()

    def file(self, path: str, content: bytes, mode: int = 0o400) -> FileRef:
        """A file in the journal's blobs."""
        file = FileRef(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        place = self.opened.blob(file)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(content)
            place.chmod(mode)
        return file

    def array(self, path: str, values: Any) -> FileRef:
        """An array in the journal's blobs."""
        out = io.BytesIO()
        np.save(out, values, allow_pickle=False)
        return self.file(path, out.getvalue())

    def media(self, type_: str, key: str, *files: FileRef, step: int = 0, **more: Any) -> Sequence[Change]:
        """Deliver one medium."""
        first, rest = (files[0], list(files[1:])) if files else (None, [])
        return self.deliver(
            Media(
                time=START + step,
                writer=WRITER,
                seq=2,
                key=key,
                step=step,
                type=type_,
                file=first,
                files=rest,
                **more,
            )
        )

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
        one.bury()


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

    def bytes(self, path: str, **query: str) -> tuple[bytes, str]:
        """The answer of an endpoint as it is, and its type."""
        url = f"{self.url}/data/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read(), answer.headers["Content-Type"]

    def blobs(
        self, plugin: str, single: str, run: str, tag: str, sample: int = 0
    ) -> list[tuple[int, bytes, str]]:
        """Step, content and type of what a dashboard of files shows."""
        found = self.get(f"plugin/{plugin}/{plugin}", run=run, tag=tag, sample=str(sample))
        queries = [(one["step"], dict(urllib.parse.parse_qsl(one["query"]))) for one in found]
        return [(step, *self.bytes(f"plugin/{plugin}/{single}", **query)) for step, query in queries]

    def texts(self, run: str, tag: str) -> list[tuple[int, str]]:
        """Step and HTML of the texts under a tag."""
        found = self.get("plugin/text/text", run=run, tag=f"{tag}/text_summary")
        return [(text["step"], text["text"]) for text in found]

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
        only_on_loopback(process.pid)
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
