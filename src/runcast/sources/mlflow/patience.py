"""Questions to a server are asked again by MLflow's client, where those who deliver want to hear at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

_QUESTION = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    # How long a busy server wants to be left alone is heeded below the client, by all processes.
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Questions of this block are asked again where the server is away or busy.

    Only for this block: those who deliver inherit the environment, and are told by the courier when to
    try again.
    """
    before = {name: os.environ.get(name) for name in _QUESTION}
    for name, value in _QUESTION.items():
        if before[name] in (None, "0"):  # else the user has said it
            os.environ[name] = value
    try:
        yield
    finally:
        for name, was in before.items():
            if was is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = was
