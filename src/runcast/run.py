"""`Run`: what a script holds. It turns calls into records, and never waits, never raises, never imports
a tracker's client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runcast import codec, normalize
from runcast.errors import RunFinishedError, UsageError
from runcast.media.value import is_media
from runcast.receipts import Ref
from runcast.records import Environment, Lost, Metrics, Note, Params, Record, RunFinished, Status, Tags
from runcast.redact import key_pattern, redact_text, redact_tree
from runcast.run_files import RunFiles
from runcast.run_traces import RunTraces
from runcast.session import Ending, Session, describe, off_exit, on_exit
from runcast.trouble import Trouble

if TYPE_CHECKING:  # and in functions: what is needed once a run is there need not be waited for before
    from runcast.config import Config
    from runcast.courier.report import RunReport
    from runcast.journal import JournalWriter
    from runcast.traces import OpenTraces

LOOKING = 5.0
"""Seconds that the end of a run waits, at most, for its surroundings: a run of a moment is soon over."""


class Run(RunFiles, RunTraces):
    """One run, on any rank and in any mode. Made by `runcast.start`.

    Attributes:
        id: runcast's id, 16 hex digits; what ``resume=`` takes.
        name: what people call it.
        experiment: what it is grouped under.
    """

    def __init__(
        self,
        *,
        id: str,
        name: str,
        experiment: str,
        config: Config,
        session: Session | None,
        writer: JournalWriter | None,
        options: dict[str, dict[str, Any]],
        next_step: int = 0,
        generation: int = 0,
        owner: bool = True,
        starter: Callable[..., Run] | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.experiment = experiment
        self._config = config
        self._session = session
        self._writer = writer
        self._options = options
        self._next_step = next_step
        self._generation = generation
        self._owner = owner and writer is not None
        self._starter = starter
        self._pid = os.getpid()
        self._since = time.time_ns()
        self._finished = False
        self._status: Status = "running"
        self._secret_names = key_pattern(getattr(config.settings, "redact", []))
        self._trouble = Trouble(strict=config.settings.strict, keep=self._keep_loss)
        self._traces: OpenTraces | None = None
        self._ending = Ending(self._end_at_exit, self._wait_at_exit)
        if self._owner:
            on_exit(self._ending)

    def __repr__(self) -> str:
        return f"<runcast.Run {self.id} {self.experiment}/{self.name} {self._status}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or _is_plain_end(error):
            self.finish()
        else:
            self._finish("killed" if _is_interrupt(error) else "failed", None, describe(error))

    def __reduce__(self) -> tuple[Callable[..., Run], tuple[Any, ...]]:
        """Another process (a spawned data loader, say) gets a writer of its own to the same run."""
        from dataclasses import replace

        from runcast.starting import join

        known = replace(self._config, options={}, origins={})  # without the backends' secrets
        where = (self.id, self.name, self.experiment, known, self._writer is None)
        return join, (*where, list(self._options), self._generation, self._next_step)

    # What the script says.

    def log(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Log numbers and media at one step.

        Args:
            values: name → Python or NumPy number, 0-d tensor, media value, or a dict of these, whose
                names are joined with ``/``.
            step: an int64; where it is left out, one more than the highest step so far.
        """
        if self._writer is None or self._finished:
            return self._refuse("log")
        now = time.time_ns()
        if step is None:
            step = self._next_step
        elif type(step) is not int or not -(1 << 63) <= step < 1 << 63:
            checked = normalize.step(step)
            if not isinstance(checked, int):
                return self._trouble.tell([checked], now)
            step = checked
        if step >= self._next_step:
            self._next_step = step + 1
        numbers, media, problems = normalize.metrics(values, is_media)
        if numbers:
            self._writer.append(codec.encode_metrics(Metrics(time=now, step=step, values=numbers)), True)
        if media or problems:
            self._trouble.tell([*problems, *self._log_media(media, step, now)], now)
        return None

    def log_metrics(self, values: Mapping[str, Any], step: int | None = None) -> None:
        """Same as `log`."""
        self.log(values, step)

    def log_params(self, values: Any) -> None:
        """Log settings: a mapping, dataclass, namespace or pydantic model; nested names join with ``/``.

        A param that is logged again with another value is sent as it is; what a tracker makes of it
        (MLflow keeps the first) stands in `report`.
        """
        plain, problems = normalize.params(values)
        self._say(lambda now: Params(time=now, values=self._redacted(plain)), bool(plain), problems)

    def set_tags(self, tags: Mapping[str, Any] | Iterable[str] | str) -> None:
        """Label the run; a tag that is set again replaces the former value."""
        plain, problems = normalize.tags(tags)
        self._say(lambda now: Tags(time=now, values=self._redacted(plain)), bool(plain), problems)

    def set_note(self, text: str | None) -> None:
        """Describe the run in prose; the last description stays, and None takes it away."""
        said = "" if text is None else redact_text(str(text))
        self._say(lambda now: Note(time=now, text=said), True, [])

    def child(self, name: str | None = None, **arguments: Any) -> Run:
        """Start a run nested in this one; takes what `runcast.start` takes, experiment excepted."""
        if self._starter is None:
            raise UsageError("a run that was joined from another process cannot have children")
        return self._starter(self.experiment, name=name, parent=self, **arguments)

    # What became of it.

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every backend has acknowledged what was logged so far.

        Args:
            timeout: seconds; the configured ``finish_timeout`` where left out.

        Returns:
            Whether all did. A backend that is paused or down is not waited for to no end.
        """
        if self._writer is None or self._session is None:
            return True
        from runcast.courier import progress

        self._session.wake()
        limit = self._config.settings.finish_timeout if timeout is None else timeout
        here = self._session
        return progress.wait(
            here.layout, self.id, list(self._options), self._writer, limit, here.courier.check, self._since
        )

    def finish(self, status: Status = "finished", timeout: float | None = None) -> None:
        """End the run, and wait a bounded time for its delivery; the courier does the rest.

        Args:
            status: ``finished``, ``failed`` or ``killed``.
            timeout: seconds to wait; the configured ``finish_timeout`` where left out.
        """
        self._finish(status, timeout, None)

    def report(self) -> RunReport:
        """Per backend: what was delivered, changed, rejected, what waits, and where to look."""
        from runcast.courier.report import report

        if self._session is None:
            return report(None, self.id)
        return report(self._session.layout, self.id)

    @property
    def refs(self) -> dict[str, Ref]:
        """Each backend's own id and address of the run, as far as they are known yet."""
        if self._session is None:
            return {}
        from runcast.courier import progress

        return progress.refs(self._session.layout, self.id, list(self._options))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold so that ``start(resume=...)`` goes on where it was taken."""
        return {"run": self.id, "experiment": self.experiment, "name": self.name, "step": self._next_step}

    # Inside.

    def _say(
        self,
        make: Callable[[int], Record],
        worth_it: bool,
        problems: list[normalize.Problem],
    ) -> None:
        if self._writer is None or self._finished:
            return self._refuse("log")
        now = time.time_ns()
        if worth_it:
            try:
                self._writer.append(codec.encode(make(now)))
            except (TypeError, ValueError, RecursionError) as error:
                problems = [*problems, normalize.Problem("", f"cannot be written: {error}", "")]
        return self._trouble.tell(problems, now)

    def _describe(self, values: dict[str, Any]) -> None:
        """Record what the run runs in."""
        self._say(lambda now: Environment(time=now, values=values), bool(values), [])

    def _log_media(self, media: Mapping[str, Any], step: int, now: int) -> list[normalize.Problem]:
        from runcast.media import record  # only scripts with media pay for it

        if self._writer is None or self._session is None:
            return []
        blobs = self._store(self._session)
        problems: list[normalize.Problem] = []
        for key, value in media.items():
            records, found = record(key, value, step, now, blobs, self._secret_names)
            for one in records:
                self._writer.append(codec.encode(one))
            problems += found
        return problems

    def _redacted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return redact_tree(values, self._secret_names)[0]

    def _keep_loss(self, lost: Lost) -> None:
        if self._writer is not None:
            self._writer.append(codec.encode(lost))

    def _refuse(self, call: str) -> None:
        if self._finished and self._config.settings.strict:
            raise RunFinishedError(f"run {self.id} is finished; start a new one, or resume={self.id!r}")
        if self._finished and self._writer is not None:
            self._trouble.warn(
                call, f"run {self.id} is finished, so the call did nothing; resume={self.id!r}"
            )

    def _end_at_exit(self, status: str, error: str | None) -> None:
        self._end("killed" if status == "killed" else "failed" if status == "failed" else "finished", error)

    def _wait_at_exit(self, spent: float) -> None:
        self._wait(max(0.0, self._config.settings.finish_timeout - spent))

    def _finish(self, status: Status, timeout: float | None, error: str | None) -> None:
        now = time.time_ns()  # the waiting for its surroundings is no part of the run
        limit = self._config.settings.finish_timeout if timeout is None else timeout
        try:
            if self._owner and not self._finished and self._session is not None and os.getpid() == self._pid:
                self._session.settle(self.id, min(limit, LOOKING) if status == "finished" else 0.0)
        finally:  # whoever is impatient loses nothing
            ended = self._end(status, error, now)
        if ended:
            self._wait(timeout)

    def _end(self, status: Status, error: str | None, now: int | None = None) -> bool:
        """Say the last word; False where that is done, or another process's to do.

        Args:
            status, error: how it ended.
            now: ns since 1970 when it did.
        """
        if self._writer is None or self._session is None:
            self._finished = True
            return False
        if not self._owner or os.getpid() != self._pid:
            return False  # a forked or joined process is done, the run is not
        self._session.settle(self.id, LOOKING, here=True)
        me = object()
        if self.__dict__.setdefault("_ended_by", me) is not me:  # in one step: threads may finish at once
            return False
        if self._traces is not None:
            self._traces.end_all()
        self._trouble.settle(time.time_ns())
        self._finished = True
        self._status = status
        off_exit(self._ending)
        reason = redact_text(error) if error is not None else None
        self._writer.append(
            codec.encode(RunFinished(time=now or time.time_ns(), status=status, error=reason))
        )
        self._writer.close()
        return True

    def _wait(self, timeout: float | None) -> None:
        if self._session is not None:
            if self._config.settings.delivery != "later":
                self.flush(timeout)
            self._session.courier.forget(self.id)


def _is_plain_end(error: BaseException) -> bool:
    """``sys.exit(0)``; or a generator with the run in it, of which nobody wants more."""
    return isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and not error.code)


def _is_interrupt(error: BaseException) -> bool:
    """Ctrl-C; or an asyncio task that was cancelled (by name: not every script needs asyncio)."""
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError"
