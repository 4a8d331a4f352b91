"""Starting, feeding, watching and killing the worker processes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from runcast.courier.command import python
from runcast.courier.folder import DeliveryFolder, DeliveryStatus
from runcast.courier.pace import Backoff
from runcast.courier.pending import is_pending
from runcast.journal import Layout, make_private

GRACE = 2.0
"""Seconds on top of a backend's own deadline."""
CLOSING = 30.0
"""Seconds for a process that makes room for the next one."""
START = 300.0
"""Seconds from a process's start to its first word; Python itself may stand on a slow network disk."""


class Worker:
    """One backend's process, as the supervisor sees it."""

    def __init__(
        self,
        layout: Layout,
        name: str,
        *,
        once: bool = False,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._once = once
        self._environment = environment
        self.left = 0
        """Runs that it has not finished with."""
        self.done = 0
        """Grows with what it delivers."""
        self.trouble = ""
        """Why its last process died, until one has something to say."""
        self._woken = self._again = False
        self._changed = self._outdated = False
        self._layout = layout
        self._clock = clock
        self._runs: dict[str, dict[str, Any]] = {}
        self._ended: set[str] = set()
        self._done_before = 0
        self._told = 0
        self._on: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._python, self._mute = "", True
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
        self._ended.discard(run)
        self.left = max(1, self.left)
        if self._process is not None and not self._outdated:
            self._told += 1
            self._send({"run": run, "options": options})

    def runs(self) -> list[str]:
        """Runs of which more may come."""
        return [run for run in self._runs if run not in self._ended]

    def end(self, run: str) -> None:
        """Say that nothing more will come of a run."""
        if run in self._runs and run not in self._ended:
            self._ended.add(run)
            self._send({"end": run})

    def wake(self, urgent: bool = False) -> None:
        """Say that there may be news; where it is urgent, also to one that is at work on earlier news."""
        if not self._woken:
            self._woken = True
            self._send({})
        elif urgent:
            self._again = True

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
        elif process.poll() is not None and not self._outdated:
            self._died(self._farewell(process.returncode))
        else:
            self._flush()

    def hear(self) -> None:
        """Take in its answers."""
        output = self.output
        data = os.read(output, 1 << 16) if output is not None else b""
        if not data and self._outdated:
            self.stop()
            return
        if not data:
            process = self._process
            if process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=GRACE)  # it said goodbye: its own code tells more than ours
                process.kill()
                process.wait()
                self._died(self._farewell(process.returncode))
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        self._mute = self._mute and not lines
        for line in lines:
            answer = json.loads(line)
            self.done += answer["done"] - self._done_before
            self._done_before = answer["done"]
            if "busy" in answer:
                self._on = answer["on"]
                self._deadline = self._clock() + answer["busy"] + GRACE
            else:
                self._on = None
                self._woken = False
                self._deadline = self._clock() + CLOSING if self._outdated else 0.0
                if self._again:
                    self._again = False
                    self.wake()
                if answer["paused"] and self._changed:
                    self._replace()
                # Else it has not heard of all of them, or makes room for one that has.
                if answer["told"] == self._told and not self._outdated:
                    self.left = answer["left"]
                self._backoff.succeed()
                self.trouble = ""

    def renew(self) -> None:
        """The environment changed: where that may mend what is paused, now or later, start over with it.

        What is paused is asked of the disk: the script has read it there, the process may not have said so.
        """
        self._changed = self._process is not None
        if self._changed and any(self._is_paused(run) for run in self._runs):
            self._replace()

    def _replace(self) -> None:
        """Let its process end after the call that it is in; what is added from now on is for the next one."""
        self._outdated = True
        self._outgoing = b""
        self._deadline = self._deadline or self._clock() + CLOSING
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """End it: its input closes, and it has a moment to finish the call that it is in."""
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
        # What was delivered to the end since the last start is nobody's business any more.
        self._runs = {
            run: options for run, options in self._runs.items() if is_pending(self._layout, run, self.name)
        }
        self.left = len(self._runs)
        if not self._runs:
            return
        once = ["once"] if self._once else []
        command = python("runcast.courier.worker", str(self._layout.root), self.name, *once)
        self._python = command[0]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for `runcast deliver`, which ends its workers
            )
        except OSError as error:  # no memory, too many processes
            self._died(f"its process cannot be started: {error.strerror}; trying again")
            return
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        self._pending = b""
        self._mute = True
        self._changed = self._outdated = False
        self._done_before = 0
        self._told = len(self._runs)
        self._deadline = self._clock() + START
        commands: list[dict[str, Any]] = [{"run": run, "options": o} for run, o in self._runs.items()]
        commands += [{"end": run} for run in self._ended & self._runs.keys()]
        self._outgoing = b"".join(json.dumps(command).encode() + b"\n" for command in commands)
        self._flush()

    def _is_paused(self, run: str) -> bool:
        return DeliveryFolder(self._layout.delivery(run, self.name)).load_status().state == "paused"

    def _farewell(self, code: int) -> str:
        mute = f" before its first word: can {self._python} import runcast?" if self._mute else ";"
        return f"its process ended with code {code}{mute} trying again"

    def _died(self, why: str) -> None:
        process, self._process = self._process, None
        for pipe in (process.stdin, process.stdout) if process else ():
            if pipe is not None:
                pipe.close()
        self._deadline = 0.0
        self._outgoing = b""
        self._woken = self._again = False
        self.trouble = why
        delay = self._backoff.fail()
        self._start_at = self._clock() + delay
        on, self._on = self._on, None
        if on in self._runs:
            self._runs[on] = self._runs.pop(on)  # the others have their turn before the one that kills
        for run in self._runs if on is None else [on]:
            folder = DeliveryFolder(self._layout.delivery(run, self.name))
            if not self._layout.journal(run).is_dir() or folder.is_linked():
                continue  # it is gone, or somebody else's
            with contextlib.suppress(OSError):
                make_private(folder.path)  # its process may have died before it could
            if not folder.load_cursor().finished:
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
        if self._process is not None and not self._outdated:
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
