"""Threads that read from across a network, where nearly all the time is waiting."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from runcast.errors import SourceError
from runcast.migrate import address
from runcast.plugins.source import Source
from runcast.redact import redact_text

REMOTE = 8
"""Runs that are read from a server at once; most of the time of each is waiting."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Threads(Executor):
    """Runs functions in threads that do not keep the process alive.

    `concurrent.futures` waits at the end of the process for its threads, here for minutes perhaps: for an
    answer that nobody wants any more. What such a thread has half written is taken back by the next call.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._tasks: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `concurrent.futures.Executor`."""
        future: Future[Any] = Future()
        self._tasks.put((future, lambda: fn(*args, **kwargs)))
        return future

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, call = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after the calls that they are in, and those before where not `cancel_futures`."""
        while cancel_futures:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                break
            if task is not None:
                task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()


class Reader:
    """One place, read by this thread and by others, each with an instance of its own.

    Args:
        source: this thread's.
        where: its address.
    """

    def __init__(self, source: Source, where: str) -> None:
        self._where = where
        self._own = source
        self._all = {threading.get_ident(): source}
        self._is_closed = False
        self._gate = threading.Lock()

    def here(self) -> Source:
        """The calling thread's source.

        Raises:
            UsageError: as `runcast.migrate.address.source`.
            SourceError: it is closed: nobody wants what this thread would read.
        """
        with self._gate:
            source = self._all.get(threading.get_ident())
            if source is None:
                source = self._all[threading.get_ident()] = address.source(self._where)
        if self._is_closed:
            if source is not self._own:
                source.close()
            raise SourceError(f"reading {redact_text(self._where)} was given up")
        return source

    def close(self) -> None:
        """Close those of the other threads, under a thread that still reads too; waits for none of them."""
        self._is_closed = True  # whoever gets in after this closes its own
        with contextlib.ExitStack() as stack:
            for source in list(self._all.values()):
                if source is not self._own:
                    stack.callback(source.close)


def each(
    call: Callable[[_Item], _Result], items: Iterable[_Item], *, remote: bool
) -> Generator[_Result, None, None]:
    """`call` of each item in turn; where a server is asked, of `REMOTE` at once, given in the same order.

    Closed before its end, it begins no further call, and does not wait for those that run.
    """
    if not remote:
        yield from map(call, items)
        return
    pool = Threads(REMOTE)
    try:
        for future in [pool.submit(call, item) for item in items]:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
