"""Carries a run's folder to a server with W&B's own client, ``wandb sync``, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from runcast.backends.wandb import carrier, probe
from runcast.errors import DeliveryError, Halt, Retry

_FORGET = (
    "WANDB_MODE", "WANDB_DISABLED", "WANDB_SERVICE", "WANDB_RUN_ID", "WANDB_NAME", "WANDB_RUN_GROUP",
    "WANDB_JOB_TYPE", "WANDB_TAGS", "WANDB_NOTES", "WANDB_RESUME", "WANDB_ENTITY", "WANDB_PROJECT",
    "WANDB_SILENT", "WANDB_QUIET",
)  # fmt: skip
_HOPELESS = re.compile(r"permission denied|not authorized|unauthorized|HTTP 40[13]\b", re.IGNORECASE)
_PROBE_EVERY = 5.0
_PATIENCE = 3


class Upload:
    """One process of W&B's client that uploads one folder.

    It reads its key where the client always does; none passes through here. It dies with this process, or
    when `stop` is called.

    Args:
        folder: the run's folder.
        base_url: the server.
        scratch: folder for the client's own logs and output.
        live: go on reading until the run's end is written, instead of stopping at the file's end.
    """

    def __init__(self, folder: Path, base_url: str, scratch: Path, *, live: bool) -> None:
        self._base_url = base_url
        self._output = scratch / "upload.log"
        command = ["beta", "sync", "--live", "--yes"] if live else ["beta", "sync", "--yes"]
        environment = {name: value for name, value in os.environ.items() if name not in _FORGET}
        environment.update(
            WANDB_BASE_URL=base_url,
            WANDB_DIR=str(scratch),
            WANDB_ERROR_REPORTING="false",  # else the client calls home with its own crashes
            WANDB_X_GRAPHQL_RETRY_MAX="3",  # runcast owns retry
        )
        descriptor = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._process = subprocess.Popen(
                [sys.executable, carrier.__file__, *command, folder],
                stdin=subprocess.PIPE, stdout=descriptor, stderr=subprocess.STDOUT,
                cwd=scratch, env=environment,
            )  # fmt: skip
        finally:
            os.close(descriptor)

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    def wait(self, timeout: float) -> None:
        """Wait for the end, as long as the server lives.

        Raises:
            Halt: the server refuses the key.
            Retry: the server has been silent for a while, or the time is up.
        """
        end = time.monotonic() + timeout
        silences = 0
        while True:
            left = end - time.monotonic()
            try:
                self._process.wait(timeout=max(0.0, min(left, _PROBE_EVERY)))
                return
            except subprocess.TimeoutExpired:
                if left <= 0:
                    raise Retry(f"wandb: the upload took longer than {timeout:g} s") from None
            try:
                probe.ask(self._base_url)
                silences = 0
            except Retry:
                silences += 1
                if silences >= _PATIENCE:
                    raise

    def failure(self) -> DeliveryError:
        """Why an upload that has ended has not arrived."""
        try:
            probe.ask(self._base_url)
        except DeliveryError as error:
            return error
        text = self._output.read_text("utf-8", "replace")
        errors = [line.partition("ERROR")[2].strip() for line in text.splitlines() if "ERROR" in line]
        reason = " ".join(errors)[-500:] or text[-200:].strip() or "it said nothing"
        message = f"wandb: the upload to {self._base_url} did not arrive: {reason}"
        if _HOPELESS.search(reason):
            return Halt(f"{message}; check the key's rights (`wandb login --relogin`)")
        return Retry(message)

    def stop(self) -> None:
        """End the process, and W&B's core with it."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
