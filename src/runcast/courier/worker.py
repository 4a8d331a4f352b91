"""The process that talks to one tracker. It can hang, crash or be killed, and harms nobody else.

Standard input, one JSON object a line, from the supervisor: ``{"run", "options"}`` begins a run,
``{}`` says that there may be news. Standard output, back: ``{"busy": seconds}`` before each call into
the tracker, ``{"idle": seconds or null, "left": n}`` when there is nothing to do. End of input: the
supervisor is gone, so stop; the cursors are safe.
"""

from __future__ import annotations

import contextlib
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
    while True:
        wait = delivery.work()
        left = sum(run not in delivery.paused for run in delivery.lanes)
        _say(answers, {"idle": wait, "left": left})
        select.select([commands], [], [], wait)
        if not select.select([commands], [], [], 0)[0]:
            continue
        data = os.read(commands, 1 << 16)
        if not data:
            return
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "run" in command:
                delivery.add(command["run"], command["options"])


def _say(answers: int, answer: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(answers, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Entry point: ``worker <dir> <backend> [once]``."""
    directory, name = sys.argv[1:3]
    answers = os.dup(1)
    # A tracker's client may print whatever it likes, secrets included: not into our pipe, not to disk.
    quiet = os.open(
        os.environ.get("RUNCAST_DEBUG_LOG", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600
    )
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)

    def find() -> type[Backend]:
        from runcast.plugins.manager import backend_class

        return backend_class(name)

    delivery = Delivery(
        Layout(directory),
        name,
        find,
        beat=lambda seconds: _say(answers, {"busy": seconds}),
        once="once" in sys.argv[3:],
    )
    try:
        serve(delivery, 0, answers)
    finally:
        delivery.close()


if __name__ == "__main__":
    main()
