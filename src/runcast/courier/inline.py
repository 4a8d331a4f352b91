"""The same delivery in threads of this process: for notebooks, tests, and backends of the script's own."""

from __future__ import annotations

import threading
import time
from typing import Any

from runcast.courier.delivery import Delivery
from runcast.journal import Layout
from runcast.plugins.backend import Backend

POLL = 0.5
GOODBYE = 5.0
"""Seconds that the end of the process waits for calls that are under way, all together."""


class CourierThreads:
    """One thread per backend; daemons, so that a hung tracker cannot keep the process alive."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._threads: dict[str, _Carrier] = {}

    def announce(self, run: str, name: str, backend: type[Backend] | None, options: dict[str, Any]) -> None:
        """A run began: deliver it to this backend (None: find it by name among the plugins)."""
        if name not in self._threads or not self._threads[name].is_alive():
            self._threads[name] = _Carrier(self._layout, name, backend)
            self._threads[name].start()
        self._threads[name].add(run, options)

    def wake(self) -> None:
        """Deliver now."""
        for carrier in self._threads.values():
            carrier.news.set()

    def close(self) -> None:
        """Stop after the calls that are under way."""
        for carrier in self._threads.values():
            carrier.stop()
        deadline = time.monotonic() + GOODBYE
        for carrier in self._threads.values():
            carrier.join(timeout=max(0.0, deadline - time.monotonic()))
        self._threads.clear()


class _Carrier(threading.Thread):
    def __init__(self, layout: Layout, name: str, backend: type[Backend] | None) -> None:
        super().__init__(name=f"runcast-{name}", daemon=True)
        self.news = threading.Event()
        self._stopped = False
        self._new: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.Lock()

        def find() -> type[Backend]:
            from runcast.plugins.manager import backend_class

            return backend or backend_class(name)

        self._delivery = Delivery(layout, name, find)

    def add(self, run: str, options: dict[str, Any]) -> None:
        with self._lock:
            self._new.append((run, options))
        self.news.set()

    def stop(self) -> None:
        self._stopped = True
        self.news.set()

    def run(self) -> None:
        while not self._stopped:
            self.news.clear()
            with self._lock:
                new, self._new = self._new, []
            for run, options in new:
                self._delivery.add(run, options)
            wait = self._delivery.work()
            self.news.wait(POLL if wait is None else min(wait, POLL))
        self._delivery.close()
