"""The stand-in as a whole: start it, look into it, let it fail, let it die."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from .artifacts import Artifact, Collection
from .faults import Fault, Faults
from .root import Root
from .runs import Run
from .state import State
from .web import Listener

FEATURES = (
    "LARGE_FILENAMES",
    "ARTIFACT_TAGS",
    "CLIENT_IDS",
    "ARTIFACT_REGISTRY_SEARCH",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER",
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "INCLUDE_ARTIFACT_TYPES_IN_REGISTRY_CREATION",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "STRUCTURED_CONSOLE_LOGS",
    "SWEEPS_QUERY_FILTERING",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)
"""What the server says that it can do; the client's questions depend on it."""


class Server:
    """A W&B server on loopback, in memory, for W&B's own client.

    It answers what the schema beside this file has. Anything else, a path, an operation, a field, an
    argument or a key of a filter, is refused and noted in `unknown`: a test that leaves something there
    must fail.

    Attributes:
        state: everything that it knows.
        calls: operations in the order of their requests: GraphQL's names, ``file_stream``, ``upload``,
            ``download``.
        uploads: keys of the files that were uploaded, in order.
        authorizations: the header of that name of every request.
        unknown: what it was asked and does not know.
        changed: notified after every answer.
    """

    def __init__(self, features: Iterable[str] = FEATURES) -> None:
        self.state = State(features=features)
        self.root = Root(self.state)
        self.faults = Faults()
        self.calls: list[str] = []
        self.uploads: list[str] = []
        self.authorizations: set[str] = set()
        self.unknown: list[str] = []
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        self._port = 0
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Life and death.

    def start(self) -> None:
        """Listen; after a `stop` on the same port as before, knowing what it knew."""
        self.stopping.clear()
        self._listener = Listener(self._port, self)
        self._port = self._listener.server_address[1]
        self.state.url = self.url
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and hang up on everyone, as a process that dies does."""
        if self._listener is None or self._thread is None:
            return
        self.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.hang_up()
        self._thread.join()
        self._listener = self._thread = None

    @property
    def url(self) -> str:
        """Base URL, as ``WANDB_BASE_URL`` takes it."""
        return f"http://127.0.0.1:{self._port}"

    def fail(
        self,
        times: int | None = None,
        *,
        on: str | None = None,
        status: int = 0,
        retry_after: float | None = None,
        message: str | None = None,
    ) -> None:
        """Let the next requests fail.

        Args:
            times: how many; without it, all until `heal`.
            on: only those for this operation, by its name in `calls`.
            status: the HTTP status.
            retry_after: seconds that the client is asked to wait.
            message: without a status, an error of GraphQL; with one, its text.
        """
        assert status or message
        self.faults.add(Fault(on, times, status, retry_after, message))

    def slow(self, seconds: float, *, times: int | None = None, on: str | None = None) -> None:
        """Let the next answers be late by so many seconds; see `fail` for the arguments."""
        self.faults.add(Fault(on, times, delay=seconds))

    def heal(self) -> None:
        """Let nothing fail any more."""
        self.faults.clear()

    def wait_for(self, met: Callable[[], Any], timeout: float = 30.0) -> None:
        """Wait until something is so, looking after every answer.

        Raises:
            AssertionError: it is not so after `timeout` seconds.
        """
        with self.changed:
            assert self.changed.wait_for(met, timeout=timeout), self.calls[-20:]

    # What it holds.

    @property
    def runs(self) -> dict[str, Run]:
        """Run id → run, of all projects."""
        return {run.name: run for p in self.state.projects() for run in p.stored_runs.values()}

    @property
    def files(self) -> dict[str, bytes]:
        """Uploaded files by their key: ``entity/project/run/name``, ``artifact id/name``."""
        return self.state.blobs

    @property
    def artifacts(self) -> dict[str, Artifact]:
        """Artifact id → version, of all projects."""
        return {key: t for key, t in self.state.things.items() if isinstance(t, Artifact)}

    @property
    def collections(self) -> dict[str, Collection]:
        """``project/name`` → collection, of all projects."""
        return {
            f"{p.name}/{name}": found for p in self.state.projects() for name, found in p.collections.items()
        }

    @property
    def exits(self) -> dict[str, int]:
        """Run id → exit code, of the runs that have ended."""
        return {name: run.exit_code for name, run in self.runs.items() if run.exit_code is not None}

    def rows(self, run: str) -> list[dict[str, Any]]:
        """A run's history, as the server got it; none of a run that is not there."""
        return self.runs[run].rows() if run in self.runs else []

    def summary(self, run: str) -> dict[str, Any]:
        """A run's last summary."""
        return self.runs[run].summary

    def config(self, run: str) -> dict[str, Any]:
        """A run's last configuration, unwrapped."""
        return self.runs[run].config_values

    def streamed(self, run: Run, body: dict[str, Any]) -> dict[str, Any]:
        """Take what a run streams, and say whether it should stop."""
        if body.get("files"):
            run.stream(body["files"])
            run.exit_code = None
        if body.get("complete"):
            run.exit_code = body.get("exitcode", 0)
            run.forced_state = None
        run.touch()
        return {"stopped": True} if run.stop_requested else {}
