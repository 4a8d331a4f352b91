"""The backend itself: one run's folder under the logdir."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from runcast.backends.tensorboard.about import DESCRIPTION
from runcast.backends.tensorboard.capabilities import CAPABILITIES
from runcast.backends.tensorboard.draft import Draft
from runcast.backends.tensorboard.facts import Facts
from runcast.backends.tensorboard.files import EventFile, make_folder, write_whole
from runcast.backends.tensorboard.folder import MARKER, claim, owner, safe
from runcast.backends.tensorboard.media.embeddings import publish_projector
from runcast.backends.tensorboard.removal import remove
from runcast.backends.tensorboard.session import publish_session
from runcast.backends.tensorboard.taking import take
from runcast.errors import Halt, Reject, Retry
from runcast.formats.tfevents import ScalarEncoder, frame, version_event
from runcast.plugins import Backend, Change, Finding, OpenRun, Options, Receipt, Ref
from runcast.records import Record

_HOPELESS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG,
)  # fmt: skip


class TensorBoardOptions(Options):
    """Options of the ``tensorboard`` backend."""

    logdir: str = Field("runs", description="folder that `tensorboard --logdir` is given", min_length=1)

    @field_validator("logdir")
    @classmethod
    def _local(cls, logdir: str) -> str:
        if "://" in logdir:
            raise ValueError(
                "logdir must be a folder of this machine; mount the bucket, or copy it there later"
            )
        if "\0" in logdir:
            raise ValueError("logdir must not contain NUL")
        return logdir


class TensorBoardBackend(Backend):
    """Writes one run's folder; see the package's text.

    ``run.state`` holds: ``folder``, relative to the logdir; ``length``, acknowledged bytes of the event
    file; ``facts``, number of the file in ``run.folder`` that holds the facts acknowledged; ``steps``,
    tag → last step; ``back``, tags already reported as going back; ``summaries``, tag → what is kept of a
    metric that was defined.
    """

    name = "tensorboard"
    Options = TensorBoardOptions
    capabilities = CAPABILITIES
    description = DESCRIPTION
    # Blobs on another file system are copied file by file, and one may be large.
    deadline = 600.0
    _prune = True

    def open(self, run: OpenRun) -> Ref:
        """Find or make the run's folder, and bring its files back to what was acknowledged."""
        self._run, self._logdir = run, run.resolve(Path(self.options.logdir).expanduser())
        with self._explained(self._logdir):
            if run.state:
                self._facts = self._load_facts(run.state["facts"])
            else:
                self._begin(run)
            state = run.state
            self._folder = self._find(state)
            header = frame(version_event(run.started.time))
            self._file = EventFile(self._folder / self._facts.events, state["length"], header)
            self._encoder, self._first = ScalarEncoder(), True
            self._clean(state["facts"])
            if self._file.missing:
                self._facts.missing_bytes += self._file.missing
                state["facts"] = self._save_facts(self._facts.encode(), state["facts"] + 1)
            state["length"] = self._file.length
            self._publish(self._facts, self._facts.encode())
        command = f"tensorboard --logdir {shlex.quote(str(self._logdir))}"
        return Ref(id=state["folder"], url=str(self._folder), command=command)

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Append the batch's events, and publish the facts where it changed them."""
        state = self._run.state
        draft = Draft(self._run, self._folder, self._encoder, self._facts, state)
        number = state["facts"]
        with self._explained(self._folder):
            try:
                take(draft, batch)
                document = _encode(draft.facts) if draft.changed else b""
            except Reject:
                self._prune = False
                raise
            self._file.append(b"".join(draft.events))
            if draft.changed:
                number = self._save_facts(document, number + 1)
                self._publish(draft.facts, document)
            # The cursor will be on the disk: what it acknowledges must not be lost by a power failure.
            self._file.sync()
        self._facts = draft.facts
        state |= {"length": self._file.length, "facts": number} | draft.memory()
        changes, self._first = self._missing() + draft.changes, False
        return Receipt(changes=changes)

    def close(self) -> None:
        """Sync and close the event file, if `open` came that far."""
        file: EventFile | None = getattr(self, "_file", None)
        if file is not None:
            file.close()

    def remove(self, run: OpenRun, ref: Ref) -> str:
        """Remove the run's folder, if its marker names this run."""
        logdir = run.resolve(Path(self.options.logdir).expanduser())
        with self._explained(logdir):
            return remove(logdir, ref.id, run.id)

    @classmethod
    def options_from(cls, address: str) -> dict[str, Any]:
        """``tensorboard:LOGDIR``."""
        return {"logdir": str(Path(address).expanduser().absolute())} if address else {}

    @classmethod
    def writers(cls, options: Any) -> int:
        """Each run has files of its own."""
        return os.cpu_count() or 1

    @classmethod
    def diagnose(cls, options: Any) -> list[Finding]:
        """Whether the logdir can be written, and whether TensorBoard is there to look at it."""
        logdir = Path(options.logdir).expanduser().absolute()
        standing = next(path for path in (logdir, *logdir.parents) if os.access(path, os.F_OK))
        writable = standing.is_dir() and os.access(standing, os.W_OK | os.X_OK)
        viewer = all(find_spec(module) for module in ("tensorboard", "tensorboard_data_server"))
        return [
            Finding(
                ok=writable,
                what=f"logdir {logdir} is {'' if writable else 'not '}writable",
                mend=""
                if writable
                else f"give yourself the right to write to {standing}, or set another logdir",
            ),
            Finding(
                ok=viewer,
                what=f"TensorBoard is {'' if viewer else 'not '}installed (only needed to look at runs)",
                mend="" if viewer else "pip install 'runcast[tensorboard]'",
            ),
        ]

    def _begin(self, run: OpenRun) -> None:
        """Start from nothing, also where an earlier state was lost: the same bytes are written again."""
        facts = Facts.of(run.id, run.started)
        facts.parent_folder = run.parent.id if run.parent else None
        seconds = run.started.time // 1_000_000_000
        facts.events = f"events.out.tfevents.{max(seconds, 1):010d}.{safe(run.id)}"
        document = _encode(facts)
        make_folder(self._logdir)
        folder = claim(self._logdir, facts.experiment, facts.name, facts.run, document)
        self._facts = facts
        run.state |= {"folder": folder, "length": 0, "steps": {}, "back": []}
        run.state["facts"] = self._save_facts(document, 1)

    def _find(self, state: dict[str, Any]) -> Path:
        """The folder of an earlier `open`, or another if people removed it and it is taken by now."""
        folder = self._logdir / str(state["folder"])
        if owner(folder) != self._facts.run and not (folder / self._facts.events).exists():
            facts = self._facts
            make_folder(self._logdir)
            state["folder"] = claim(self._logdir, facts.experiment, facts.name, facts.run, facts.encode())
            folder = self._logdir / str(state["folder"])
        return folder

    def _load_facts(self, number: int) -> Facts:
        path = self._facts_file(number)
        try:
            return Facts.decode(path.read_bytes())
        except (OSError, ValueError) as error:
            raise Halt(
                f"tensorboard: {path} cannot be read ({type(error).__name__}); restore it, or forget this "
                "backend's cursor of the run, so that the run is delivered from its start"
            ) from None

    def _save_facts(self, document: bytes, number: int) -> int:
        """Write the facts under a new number; the number acknowledged last stays readable.

        That is the one before; but the parts of a batch that was refused are acknowledged together, so
        from a refusal on, the next `open` cleans up.
        """
        write_whole(self._facts_file(number), document)
        if self._prune:
            self._facts_file(number - 2).unlink(missing_ok=True)
        return number

    def _clean(self, acknowledged: int) -> None:
        for path in self._run.folder.glob("facts-*.json"):
            if path != self._facts_file(acknowledged):
                path.unlink(missing_ok=True)

    def _facts_file(self, number: int) -> Path:
        return self._run.folder / f"facts-{number}.json"

    def _missing(self) -> list[Change]:
        if not (self._facts.missing_bytes and self._first):
            return []
        gone = f"{self._facts.missing_bytes} bytes of {self._facts.events} are gone since they were written"
        return [Change("degraded", "", f"{gone}; points are missing")]

    def _publish(self, facts: Facts, document: bytes) -> None:
        """Bring what people and other tools see in line with the facts."""
        write_whole(self._folder / MARKER, document)
        publish_session(self._folder, self._run.state["folder"], facts)
        publish_projector(self._folder, facts.embeddings)

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        """Turn an error of the file system into what the courier should do about it."""
        try:
            yield
        except OSError as error:
            where = error.filename or path
            if error.errno in _HOPELESS:
                raise Halt(
                    f"tensorboard: cannot write to {where}: {error.strerror}; mend its permissions, or set "
                    "another logdir"
                ) from error
            raise Retry(
                f"tensorboard: cannot write to {where}: {error.strerror}; free space, or mend the disk"
            ) from error


def _encode(facts: Facts) -> bytes:
    try:
        return facts.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Reject(f"tensorboard: a param, tag or metadata is not JSON-like: {error}") from None
