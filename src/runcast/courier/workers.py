"""Starting, feeding, watching and killing the worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

from runcast.courier.command import python
from runcast.courier.folder import DeliveryFolder, DeliveryStatus
from runcast.courier.pace import Backoff
from runcast.journal import Layout

GRACE = 2.0
"""Seconds on top of a backend's own deadline."""


class Worker:
    """One backend's process, as the supervisor sees it."""

    def __init__(
        self,
        layout: Layout,
        name: str,
        *,
        once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._once = once
        self.left = 0
        """Runs that it has not finished with."""
        self._woken = False
        self._layout = layout
        self._clock = clock
        self._runs: dict[str, dict[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""
        self._outgoing = b""
        self._deadline = 0.0
        self._backoff = Backoff()
        self._start_at = 0.0

    @property
    def output(self) -> int | None:
        """Descriptor to wait on for answers."""
        process = self._process
        return process.stdout.fileno() if process and process.stdout else None

    def add(self, run: str, options: dict[str, Any]) -> None:
        """Give it a run."""
        self._runs[run] = options
        self.left = max(1, self.left)
        self._send({"run": run, "options": options})

    def wake(self) -> None:
        """Say that there may be news."""
        if not self._woken:
            self._woken = True
            self._send({})

    def tend(self) -> None:
        """Start it where it is due, kill it where it overstays, begin again where it died."""
        now = self._clock()
        process = self._process
        if process is None:
            if self._runs and now >= self._start_at:
                self._start()
            return
        if self._deadline and now > self._deadline:
            process.kill()
            process.wait()
            self._died("one call took longer than its deadline, so its process was killed; trying again")
        elif process.poll() is not None:
            self._died(f"its process ended with code {process.returncode}; trying again")
        else:
            self._flush()

    def hear(self) -> None:
        """Take in its answers."""
        output = self.output
        data = os.read(output, 1 << 16) if output is not None else b""
        if not data:
            process = self._process
            if process is not None:
                process.kill()
                process.wait()
                self._died(f"its process ended with code {process.returncode}; trying again")
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            if "busy" in answer:
                self._deadline = self._clock() + answer["busy"] + GRACE
            else:
                self._woken = False
                self._deadline = 0.0
                self.left = answer["left"]
                self._backoff.succeed()

    def stop(self) -> None:
        """End it: its input closes, it finishes the call it is in, and after its deadline it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            process.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            python(
                "runcast.courier.worker", str(self._layout.root), self.name, *(["once"] if self._once else [])
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        self._pending = b""
        self._deadline = self._clock() + 60.0  # imports; its first answer takes this back
        self._outgoing = b"".join(
            json.dumps({"run": run, "options": options}).encode() + b"\n"
            for run, options in self._runs.items()
        )
        self.left = len(self._runs)
        self._flush()

    def _died(self, why: str) -> None:
        self._process = None
        self._deadline = 0.0
        self._outgoing = b""
        self._woken = False
        delay = self._backoff.fail()
        self._start_at = self._clock() + delay
        for run in self._runs:
            folder = DeliveryFolder(self._layout.delivery(run, self.name))
            if folder.path.is_dir() and not folder.load_cursor().finished:
                now = time.time_ns()
                folder.save_status(
                    DeliveryStatus(
                        state="retrying",
                        error=why,
                        failures=self._backoff.failures,
                        retry_at=now + int(delay * 1e9),
                        time=now,
                    )
                )

    def _send(self, command: dict[str, Any]) -> None:
        if self._process is not None:
            self._outgoing += json.dumps(command).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        process = self._process
        if process is None or process.stdin is None or not self._outgoing:
            return
        try:
            sent = os.write(process.stdin.fileno(), self._outgoing)
        except (BlockingIOError, BrokenPipeError):
            return  # full: later; broken: `tend` sees the death
        self._outgoing = self._outgoing[sent:]
