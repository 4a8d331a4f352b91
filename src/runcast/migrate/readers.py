"""Who reads: this process, its threads, processes of this machine, or an engine that spans several."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any

from runcast.errors import ConfigError
from runcast.migrate import work
from runcast.migrate.stage import Staged
from runcast.migrate.threads import Threads
from runcast.plugins.source import FoundRun

OFTEN = 0.2
"""Seconds between two calls of what is done meanwhile."""
LOST = "the process that read it ended without a word (out of memory?)"


class Readers:
    """Stages runs and gives what each came to, in their order, so that parents come before their children.

    Args:
        root: folder of the journals.
        where: the source's address.
        jobs: how many runs at once, by processes of this machine; 1 reads in this one.
        remote: by threads instead, because reading is mostly waiting.
        executor: reads in place of those.
    """

    def __init__(
        self, root: Path, where: str, jobs: int, executor: Executor | None = None, *, remote: bool = False
    ) -> None:
        self._stage = partial(work.stage_run, str(root.absolute()), where, str(Path.cwd()))
        self._jobs = jobs
        self._remote = remote
        self._executor = executor
        self._own: Executor | None = None
        self._records = 0
        context = multiprocessing.get_context("spawn")  # so that they inherit neither threads nor locks
        self._context: Any = context
        self._read: Any = context.Value("q", 0) if jobs > 1 and executor is None else None
        self._stop: Any = context.Value("b", 0) if self._read is not None else None
        self._tell = work.counting(self._read, self._stop) if remote and self._read is not None else None

    @property
    def records(self) -> int:
        """Records read so far; of a run that is not done with too, unless an outer executor reads it."""
        return self._records if self._read is None else int(self._read.value)

    def stage(
        self, due: list[FoundRun], meanwhile: Callable[[], None]
    ) -> Iterator[tuple[FoundRun, Staged | str]]:
        """Each run with what staging it came to, or why it failed; `meanwhile` is called all the time."""
        seldom = _seldom(meanwhile)
        if self._jobs == 1 and self._executor is None:
            yield from self._here(due, seldom)
            return
        left, alone = list(due), False
        while left:
            pool = self._pool()
            tell = () if self._tell is None else (self._tell,)  # a process has its own
            futures = [pool.submit(self._stage, run, *tell) for run in (left[:1] if alone else left)]
            for future in futures:
                outcome = self._outcome(future, seldom)
                seldom()  # a small run is never waited for
                if isinstance(outcome, Staged):
                    self._records += outcome.read
                if outcome is None and not alone:
                    # One of them took the pool with it; nobody knows which, so the first is tried by itself.
                    alone = True
                    break
                yield left.pop(0), outcome or LOST
                alone = False
            self._renew()

    def _here(
        self, due: list[FoundRun], meanwhile: Callable[[], None]
    ) -> Iterator[tuple[FoundRun, Staged | str]]:
        def tell(records: int) -> None:
            self._records += records
            meanwhile()

        for run in due:
            meanwhile()
            try:
                yield run, self._stage(run, tell)
            except work.Failed as failure:
                yield run, str(failure)

    def _outcome(self, future: Future[Staged], meanwhile: Callable[[], None]) -> Staged | str | None:
        """None where its process died."""
        while not wait([future], timeout=0.1).done:
            meanwhile()
        try:
            return future.result()
        except work.Failed as failure:
            return str(failure)
        except BrokenExecutor:
            return None
        except Exception as error:  # the engine's own, such as a worker that it lost too often
            return f"{type(error).__name__}: {error}"

    def _pool(self) -> Executor:
        if self._executor is not None:
            return self._executor
        if self._own is None and self._remote:
            self._own = Threads(self._jobs)
        elif self._own is None:
            self._own = ProcessPoolExecutor(
                self._jobs, self._context, initializer=work.begin, initargs=(self._read, self._stop)
            )
        return self._own

    def _renew(self) -> None:
        if self._own is not None:
            self._own.shutdown(wait=False, cancel_futures=True)
            self._own = None

    def close(self) -> None:
        """End processes and threads; a run that is being read stops at its next record."""
        if self._stop is not None:
            self._stop.value = 1
        self._renew()
        work.forget()


def _seldom(call: Callable[[], None]) -> Callable[[], None]:
    """A call that is made every `OFTEN` seconds at most, however many small runs come by."""
    due = 0.0

    def maybe() -> None:
        nonlocal due
        if time.monotonic() >= due:
            call()
            due = time.monotonic() + OFTEN

    return maybe


@contextlib.contextmanager
def connected(engine: str) -> Iterator[Executor]:
    """An executor of another engine: ``dask://HOST:PORT`` of its scheduler.

    Its workers must see the same files under the same paths, and have the source's credentials themselves.

    Raises:
        ConfigError: it is no such address, the package is missing, or nobody answers.
    """
    scheme, separator, place = engine.partition("://")
    if scheme != "dask" or not separator or not place:
        raise ConfigError(f"--executor {engine!r}: write dask://HOST:PORT")
    try:
        from distributed import Client
    except ImportError:
        raise ConfigError("--executor dask://: pip install 'runcast[dask]'") from None
    try:
        client = Client(f"tcp://{place}", timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--executor {engine}: no dask scheduler answers: {error}") from None
    try:
        yield client.get_executor(pure=False, retries=1)
    finally:
        client.close()
