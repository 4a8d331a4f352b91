"""``python -m tests.faults.trainers FOLDER BACKENDS COUNT SEED DELIVERY``: training scripts that are killed.

Each script is a child of this process, which has imported runcast already: 200 of them take seconds. It
counts in shared memory what was acknowledged to it, and is killed at a moment that it cannot foresee: in
the midst of a call, between two, or while it starts. With DELIVERY ``process`` each has a courier of its
own, and that one is killed with all its workers soon after.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import signal
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import runcast

from .project import KEY, Project, value

MOST = 1500
"""Records after which a script waits for its end."""
GRACE = 30.0


def script(project: Project, shared: mmap.mmap, number: int, delivery: str) -> None:
    """What is killed."""
    run = runcast.start(
        "kills",
        name=f"victim-{number}",
        params={"lr": 0.1},
        backends=list(project.backends),
        config=project.config(delivery=delivery),
    )
    shared[8:24] = run.id.encode()
    for step in range(MOST):
        run.log({KEY: value(step)}, step=step)
        shared[:8] = struct.pack("q", step + 1)
    signal.pause()


def kill(project: Project, number: int, luck: random.Random, delivery: str) -> dict[str, Any]:
    """Start a script and kill it; gives its run, "" where it had none yet, and what was acknowledged."""
    shared = mmap.mmap(-1, 24)
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            script(project, shared, number, delivery)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(70)
    at_start = luck.random() < 0.1
    enough = 0 if at_start else luck.randrange(1, 300)
    deadline = time.monotonic() + GRACE
    while struct.unpack("q", shared[:8])[0] < enough:
        if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
            raise SystemExit(f"script {number} ended, or hangs, before it was killed")
    time.sleep(luck.uniform(0, 0.03 if at_start else 0.0005))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    couriers = _kill_couriers(project, luck) if delivery == "process" else 0
    (acknowledged,) = struct.unpack("q", shared[:8])
    return {"run": shared[8:24].strip(b"\0").decode(), "acknowledged": acknowledged, "couriers": couriers}


def _kill_couriers(project: Project, luck: random.Random) -> int:
    """Kill every process that delivers in this folder, at once, a little later; gives how many died."""
    time.sleep(luck.uniform(0, 1.5))
    killed, before = set[int](), -1
    while len(killed) > before:  # one that was killed may have started another since they were listed
        before = len(killed)
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (place / "cmdline").read_bytes()
                if b"runcast.courier" in command and os.fsencode(project.layout.root) in command:
                    os.kill(int(place.name), signal.SIGKILL)
                    killed.add(int(place.name))
    return len(killed)


def main() -> None:
    """Kill so many, and print what each had been promised."""
    folder, backends, count, seed, delivery = sys.argv[1:]
    project = Project(Path(folder), tuple(backends.split(",")))
    luck = random.Random(seed)  # noqa: S311  # repeatable, not secret
    print(json.dumps([kill(project, number, luck, delivery) for number in range(int(count))]))


if __name__ == "__main__":
    main()
