"""Questions to a server are asked again by MLflow's client, where those who deliver want to hear at once."""

from __future__ import annotations

import os
import threading
from contextlib import AbstractContextManager

_QUESTION = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    # How long a busy server wants to be left alone is heeded below the client, by all processes.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}


class _Patience:
    """What the environment says while some thread is inside."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._inside = 0
        self._before: dict[str, str | None] = {}

    def __enter__(self) -> None:
        with self._gate:
            self._inside += 1
            if self._inside > 1:
                return
            self._before = {name: os.environ.get(name) for name in _QUESTION}
            for name, value in _QUESTION.items():
                if self._before[name] in (None, "0"):  # else the user has said it
                    os.environ[name] = value

    def __exit__(self, *_: object) -> None:
        with self._gate:
            self._inside -= 1
            if self._inside:
                return
            for name, was in self._before.items():
                if was is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = was


_patience = _Patience()


def patient() -> AbstractContextManager[None]:
    """Questions of this block are asked again where the server is away or busy.

    Only while some thread is in such a block. Those who deliver are told by the courier when to try again: a
    migration gives them the environment from before its reading.
    """
    return _patience
