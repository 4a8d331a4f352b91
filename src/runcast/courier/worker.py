"""The process that talks to one tracker. It can hang, crash or be killed, and harms nobody else.

Standard input, one JSON object a line, from the supervisor: ``{"run", "options"}`` begins a run,
``{"end": run}`` says that nothing more will come of it, ``{}`` that there may be news. Standard output,
back: ``{"busy": seconds, "on": run, "done": n}`` before each call into the tracker, ``{"idle": seconds or
null, "told": n, "left": n, "paused": n, "done": n}`` when there is nothing to do (``told``: how many runs it
was given so far). End of input: the supervisor is gone, so stop; the cursors are safe.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import sys
from typing import Any

from runcast.courier.delivery import Delivery
from runcast.journal import Layout
from runcast.plugins.backend import Backend


def serve(delivery: Delivery, commands: int, answers: int) -> None:
    """Work until the input ends.

    Args:
        delivery: the lanes.
        commands, answers: descriptors of the two pipes.
    """
    pending = b""
    told = 0
    wait: float | None = None
    while True:
        if select.select([commands], [], [], wait)[0]:
            data = os.read(commands, 1 << 16)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if "run" in command:
                    told += 1
                    delivery.add(command["run"], command["options"])
                elif "end" in command:
                    delivery.end(command["end"])
        wait = delivery.work()
        paused = len(delivery.paused & delivery.lanes.keys())
        left = len(delivery.lanes) - paused
        _say(answers, {"idle": wait, "told": told, "left": left, "paused": paused, "done": delivery.done})


def _say(answers: int, answer: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(answers, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Entry point: ``worker <dir> <backend> [once]``."""
    directory, name = sys.argv[1:3]
    # A client such as MLflow's holds a million objects for good, and makes and drops thousands a batch: with
    # Python's own thresholds a quarter of the time goes into looking at the former again and again.
    gc.set_threshold(100_000, 20, 50)
    # A client that starts a program of its own must hand it neither of our pipes.
    commands, answers = os.dup(0), os.dup(1)
    # A tracker's client may print whatever it likes, secrets included: not into our pipe, not to disk.
    quiet = os.open(
        os.environ.get("RUNCAST_DEBUG_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
    )
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)

    def find() -> type[Backend]:
        from runcast.plugins.manager import backend_class

        return backend_class(name)

    def beat(run: str, seconds: float) -> None:
        _say(answers, {"busy": seconds, "on": run, "done": delivery.done})

    delivery = Delivery(Layout(directory), name, find, beat=beat, once="once" in sys.argv[3:])
    try:
        serve(delivery, commands, answers)
    finally:
        delivery.close()
        # Python ends by looking through those million objects several times more, a second for MLflow's.
        gc.freeze()


if __name__ == "__main__":
    main()
