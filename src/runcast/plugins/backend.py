"""The contract between the courier and one tracker.

A backend is one class with a ``name``, an ``Options`` model, a ``capabilities`` constant and three
methods. One instance serves one run. The courier promises:

- Calls come from one thread, in the order open, deliver, deliver, ..., close.
- Records come in journal order. A batch whose ``deliver`` returned is never sent again, unless the
  process died before that was written down; so the first batch after ``open`` may hold records that
  the tracker already has.
- A batch that was refused comes again in parts, which are acknowledged together, when the last one is done.
- ``run.state`` is saved in one step with the cursor after each ``deliver`` that returned (and after
  ``open``). After ``Retry``, and after a crash, the instance is thrown away and a new one is opened
  with the state as it was last saved. So there is one recovery path, and a backend that derives all
  it needs from ``run.state`` delivers exactly once.

The backend promises: ``Reject`` leaves tracker and state as they were before the batch, or in a form
where sending the batch's parts again changes nothing; nothing blocks for longer than the deadline
(`Backend.deadline`); no module of a tracker's SDK is imported before ``open``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict

from runcast.errors import ConfigError, Halt, Reject
from runcast.plugins.capabilities import Capabilities
from runcast.plugins.description import Description
from runcast.receipts import Receipt, Ref
from runcast.records import FileRef, Record, RunStarted

_DIGEST = re.compile("[0-9a-f]{64}")


class Options(BaseModel):
    """Base of every backend's options: unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Finding(BaseModel):
    """One line of ``runcast doctor``.

    Attributes:
        ok: False where something must be mended.
        what: what was looked at, and what was seen; never a secret.
        mend: the command or setting that mends it.
    """

    ok: bool
    what: str
    mend: str = ""


class OpenRun(msgspec.Struct):
    """What a backend is told about the run that it opens.

    Attributes:
        id: runcast's id of the run.
        started: the first record of the run.
        folder: private to this run and backend, exists, survives restarts.
        state: JSON-like, the backend's memory (see the module's text); changed in place.
        parent: where the parent run is in this tracker, or None.
        blobs: folder of content-addressed files; see `blob`.
    """

    id: str
    started: RunStarted
    folder: Path
    blobs: Path
    state: dict[str, Any] = {}
    parent: Ref | None = None

    def resolve(self, path: str | Path) -> Path:
        """A path from the options, absolute: relative ones start at the project's folder."""
        return Path(self.started.base or ".").resolve() / path

    def blob(self, file: FileRef) -> Path:
        """The file that holds the content of `file`; read-only.

        Raises:
            Reject: there is no blob of it: it is a reference, its digest is none, a link stands in its
                place (a forged journal), or it was cut (a loss of power).
        """
        if not _DIGEST.fullmatch(file.sha256):
            where = f"stays at {file.uri}" if file.uri else f"has no digest: {file.sha256[:80]!r}"
            raise Reject(f"file {file.path!r} {where}")
        folder = self.blobs / file.sha256[:2]
        path = folder / file.sha256
        if path.is_symlink() or folder.is_symlink():
            raise Reject(
                f"file {file.path!r}: {path} is a link, which runcast never makes; it is not followed"
            )
        if path.is_file() and (size := path.stat().st_size) != file.size:
            raise Reject(
                f"file {file.path!r}: only {size} of its {file.size} bytes are left in {path}, "
                "after a loss of power perhaps; log it again"
            )
        return path


class Backend(ABC):
    """Delivers one run's records to one tracker."""

    name: ClassVar[str]
    """How configuration spells it; lower case."""
    Options: ClassVar[type[BaseModel]] = Options
    capabilities: ClassVar[Capabilities]
    description: ClassVar[Description | None] = None
    """What the tracker is good for and what it costs; without it, `runcast select` leaves it out."""
    requires: ClassVar[Mapping[str, str]] = {}
    """Importable module → what ``pip install`` needs, for a clear message when it is missing."""
    environment: ClassVar[Mapping[str, str]] = {}
    """Option → the tracker's own environment variable that sets it where runcast's are silent."""
    deadline: ClassVar[float] = 60.0
    """Seconds that one call may take before its process is killed and the batch tried again."""

    def __init__(self, options: Any) -> None:
        """Keep `options`, an instance of this class's ``Options``; touch nothing else."""
        self.options = options

    @abstractmethod
    def open(self, run: OpenRun) -> Ref:
        """Find this run in the tracker, or create it; never make a second one.

        Raises:
            Retry, Halt: see `runcast.errors`.
        """

    @abstractmethod
    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Put every record of `batch` into the tracker, durably, before returning.

        Raises:
            Retry, Reject, Halt: see `runcast.errors`; anything else counts as ``Reject``.
        """

    def close(self) -> None:  # noqa: B027  # optional on purpose
        """Let go of connections; never called twice; must not lose what was acknowledged."""

    def remove(self, run: OpenRun, ref: Ref) -> str:
        """Take out of the tracker what `open` and `deliver` put there for this run, and nothing else.

        Called instead of `open`, on an instance of its own; removing what is gone already is fine.

        Returns:
            What stays all the same, in words for people; "" where nothing does.

        Raises:
            Retry, Halt: see `runcast.errors`; Halt also where the tracker cannot remove a run.
        """
        raise Halt(f"{self.name}: this backend cannot remove runs; remove {ref.id} by hand")

    @classmethod
    def options_from(cls, address: str) -> dict[str, Any]:
        """The options that a migration's destination stands for: ``mlflow:ADDRESS``.

        Raises:
            ConfigError: it is no place of this tracker.
        """
        raise ConfigError(f"{cls.name}: this backend does not say how an address becomes its options")

    @classmethod
    def writers(cls, options: Any) -> int:
        """How many processes may deliver to this place at once, each other runs."""
        return 1

    @classmethod
    def diagnose(cls, options: Any) -> list[Finding]:
        """What ``runcast doctor`` should say: credentials, reachability, folders. No secrets."""
        return []
