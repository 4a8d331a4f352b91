"""Requests of MLflow's client keep to the budget of their host (`runcast.hosts`).

MLflow tells its caller nothing of an answer that it takes for a refusal, ``Retry-After`` included. So it is
heard one floor below: urllib3's pools have an attribute for the class of their connections, and ours passes
everything on. Only requests inside `heeding` are concerned; the user's own go as ever. A proxy that requests
are forwarded by counts as their host.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from runcast.errors import Retry
from runcast.hosts import Host, seconds

_here = threading.local()
_blocks: list[float] = []
"""Patience of every block that is open in this process."""
sleep: Callable[[float], None] = time.sleep


@contextlib.contextmanager
def heeding(patience: float) -> Iterator[None]:
    """Wait for each request's turn in this block; `Retry` where it is too far off.

    Threads other than the main one are taken for MLflow's own meanwhile: it moves files in some. They wait,
    too, and raise nothing.

    Args:
        patience: most seconds that one request waits.
    """
    _install()
    before = getattr(_here, "patience", None)
    _here.patience = patience
    _blocks.append(patience)
    try:
        yield
    finally:
        _blocks.remove(patience)
        _here.patience = before


def _patience() -> float | None:
    """Of the block that this thread is in, or works for; None where it is none of ours."""
    own: float | None = getattr(_here, "patience", None)
    if own is None and threading.current_thread() is not threading.main_thread():
        return max(tuple(_blocks), default=None)
    return own


@cache
def _install() -> None:
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    for pool in (HTTPConnectionPool, HTTPSConnectionPool):
        pool.ConnectionCls = _polite(pool.ConnectionCls)


def _polite(kind: Any) -> Any:
    """A subclass of urllib3's connections."""

    class Polite(kind):  # type: ignore[misc]  # the class is urllib3's, or what somebody put in its place
        def request(self, *arguments: Any, **named: Any) -> None:
            _take_turn(f"{self.host}:{self.port}")
            super().request(*arguments, **named)

        def getresponse(self) -> Any:
            response = super().getresponse()
            _hear(f"{self.host}:{self.port}", int(response.status), response.headers.get("Retry-After"))
            return response

    Polite.__name__ = kind.__name__  # urllib3 names it in its errors
    return Polite


def _take_turn(name: str) -> None:
    patience = _patience()
    if patience is None:
        return
    wait = Host(name).turn(patience)
    if wait > patience and getattr(_here, "patience", None) is not None:
        raise Retry(f"{name} asked to be left alone for {math.ceil(wait)} s more", after=wait)
    if wait:
        sleep(min(wait, patience))


def _hear(name: str, status: int, header: str | None) -> None:
    if _patience() is None:
        return
    after = seconds(header)
    if status == 429 or (status == 503 and after is not None):
        Host(name).refuse(after or 0.0)
