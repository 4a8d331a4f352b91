"""Processes that use a registry, to be killed or to meet each other.

Run as a program it imports what they need once, and forks one process for each job that it is told on stdin.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from types import FrameType
from typing import Any

CHANGES = {"execute", "fsync", "link", "mkdir", "open", "rename", "replace", "unlink", "write"}
"""Functions of the interpreter by which files and databases change."""


class Processes:
    """Makes processes; their answers come back, and how each ended."""

    def __init__(self, *modules: str) -> None:
        """`modules` are imported before the first one is made."""
        # Each is to start a service of W&B's client of its own, and not to use the one of the tests.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_SERVICE")}
        command = [sys.executable, __file__, *modules]
        self._mother = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, *jobs: dict[str, Any], began: Callable[[int], None] = lambda pid: None) -> list[Any]:
        """Do jobs, all at once; gives what each answered, None where it was killed.

        Args:
            jobs: arguments of `work`.
            began: gets the id of each process, which waits meanwhile.
        """
        self._say(list(jobs))
        for pid in self._hear():
            began(pid)
        self._say("go")
        return list(self._hear())

    def _say(self, what: Any) -> None:
        assert self._mother.stdin is not None
        self._mother.stdin.write(json.dumps(what) + "\n")
        self._mother.stdin.flush()

    def _hear(self) -> Any:
        assert self._mother.stdout is not None
        line = self._mother.stdout.readline()
        assert line, "the mother of the processes has died"
        return json.loads(line)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._mother.stdin is not None
        assert self._mother.stdout is not None
        self._mother.stdin.close()
        self._mother.wait(30)
        self._mother.stdout.close()


def work(
    backend: str, config: dict[str, Any], model: str, folder: str = "", promote: str = "", kill: int = 0
) -> str:
    """Register a folder and promote it, or promote a version that is there; in words what came of it.

    Args:
        kill: die at the so manieth call of `CHANGES`; 0: live.
    """
    import runcast
    from runcast.config import Policy
    from runcast.errors import PromotionError

    with runcast.registry(backend, policy=Policy(in_order=False), config=config, by=str(os.getpid())) as one:
        if promote:
            one.get(promote)  # connected
            print("ready", flush=True)
            sys.stdin.readline()
        if kill:
            sys.setprofile(_deadly(kill))
        version = promote or str(one.register(model, folder))
        try:
            done = str(one.promote(version, "production"))
        except PromotionError as error:
            return f"told: {error}"
        finally:
            sys.setprofile(None)
        return f"won: {done}"


def _deadly(at: int) -> Callable[[FrameType, str, Any], None]:
    left = [at]

    def count(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ in CHANGES:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return count


class _Child:
    """A process that was forked for one job, with a pipe each way."""

    def __init__(self, job: dict[str, Any]) -> None:
        down, up = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.dup2(down[0], 0)
            os.dup2(up[1], 1)
            for end in (*down, *up):
                os.close(end)
            sys.stdin.readline()
            print(work(**job), flush=True)
            os._exit(0)
        os.close(down[0])
        os.close(up[1])
        self._down, self._up = os.fdopen(down[1], "w"), os.fdopen(up[0])

    def go(self) -> None:
        """Let it go on."""
        self._down.write("\n")
        self._down.flush()

    def line(self) -> str:
        """What it says next; "" where it died."""
        return self._up.readline().strip()

    def end(self) -> str | None:
        """Its last line, once it is gone."""
        last = self.line()
        os.waitpid(self.pid, 0)
        self._down.close()
        self._up.close()
        return last or None


def main() -> None:
    """Fork for each line of jobs."""
    for name in sys.argv[1:]:
        __import__(name)
    with tempfile.TemporaryDirectory() as folder:  # what is imported on the way is imported once
        work("local", {"dir": folder}, "m", folder=__file__)
    told = os.fdopen(os.dup(0))
    for line in told:
        jobs = json.loads(line)
        children = [_Child(job) for job in jobs]
        print(json.dumps([child.pid for child in children]), flush=True)
        told.readline()
        for child in children:
            child.go()
        meeting = [child for child, job in zip(children, jobs, strict=True) if job.get("promote")]
        for child in meeting:
            child.line()
        for child in meeting:
            child.go()
        print(json.dumps([child.end() for child in children]), flush=True)


if __name__ == "__main__":
    main()
