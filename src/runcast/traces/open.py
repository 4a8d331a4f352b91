"""Spans that are open, and the trace that they belong to.

Which span is the innermost is a context variable: every asyncio task sees the one that it was made in;
a thread begins a trace of its own, unless it runs in a copy of the context. The trace is handed over
whole, when its outermost span ends.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from runcast.normalize import Problem, plain
from runcast.records import Span, Trace
from runcast.redact import redact_text

MOST_SPANS = 10_000
"""Spans that one trace keeps; a loop without end must not fill the memory."""
_FRAMES = 20
"""Frames of a stack that are kept with an exception."""
UNFINISHED = "it was still open when its trace ended"

innermost: ContextVar[OpenSpan | None] = ContextVar("runcast_span", default=None)


class Sink(NamedTuple):
    """Where finished traces go: the run.

    Attributes:
        keep: takes a whole trace.
        tell: takes note of what could not be kept.
        redact: gives a copy without secrets.
    """

    keep: Callable[[Trace], None]
    tell: Callable[[list[Problem]], None]
    redact: Callable[[Mapping[str, Any]], dict[str, Any]]


class _OpenTrace:
    """A trace that grows; threads may share it."""

    def __init__(self, sink: Sink, tags: Mapping[str, str], session: str | None) -> None:
        self.id = os.urandom(16).hex()
        self.sink = sink
        self.tags = dict(tags)
        self.session = session
        self.spans: list[OpenSpan] = []
        self.dropped = 0
        self.closed = False
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def add(self, span: OpenSpan) -> bool:
        """Whether the trace still takes it."""
        with self._lock:
            if self.closed:
                return False
            if len(self.spans) < MOST_SPANS:
                self.spans.append(span)
            else:
                self.dropped += 1
            return True

    def close(self, end: int) -> None:
        """Hand everything over; what is still open ends here. A second time does nothing."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        if os.getpid() != self._pid:  # a copy in a forked child: the original is its parent's
            return
        self.sink.keep(
            Trace(
                time=end,
                id=self.id,
                spans=[span.frozen(end) for span in self.spans],
                tags=self.tags,
                session=self.session,
            )
        )
        if self.dropped:
            reason = f"a trace keeps {MOST_SPANS} spans: {self.dropped} more were left out"
            self.sink.tell([Problem(self.spans[0].name, reason, kept=True)])


class OpenTraces:
    """The traces of one run that have not ended."""

    def __init__(self) -> None:
        self._open: dict[str, _OpenTrace] = {}

    def begin(self, sink: Sink, tags: Mapping[str, str], session: str | None) -> _OpenTrace:
        """A new one."""
        trace = _OpenTrace(sink, tags, session)
        self._open[trace.id] = trace
        return trace

    def end(self, trace: _OpenTrace, end: int) -> None:
        """It is over."""
        self._open.pop(trace.id, None)
        trace.close(end)

    def end_all(self) -> None:
        """The run ends: what is open is kept as far as it came."""
        for trace in list(self._open.values()):
            self.end(trace, time.time_ns())


class OpenSpan:
    """A step that is going on; use it in ``with``.

    Attributes:
        id: 16 hex digits.
        name: what is done.
        start: wall clock in ns since 1970.
    """

    def __init__(
        self,
        sink: Sink,
        traces: OpenTraces,
        name: str,
        type: str,
        tags: Mapping[str, str],
        session: str | None,
    ) -> None:
        self.id = os.urandom(8).hex()
        self.name = name
        self.start = time.time_ns()
        self._since = time.perf_counter_ns()
        self._type = type
        self._sink = sink
        self._traces = traces
        self._attributes: dict[str, Any] = {}
        self._events: list[dict[str, Any]] = []
        self._inputs: Any = None
        self._outputs: Any = None
        self._error: str | None = None
        self._end: int | None = None
        self._reset: list[Callable[[], None]] = []
        above = innermost.get()
        belongs = above is not None and above._traces is traces and above._trace.add(self)
        self._trace: _OpenTrace
        if above is not None and belongs:
            self._trace = above._trace
            self._trace.tags.update(tags)
            self._trace.session = session or self._trace.session
        else:
            self._trace = traces.begin(sink, tags, session)
            self._trace.add(self)
        self.parent = above.id if above is not None and belongs else None

    @property
    def trace_id(self) -> str:
        """Id of the whole trace, 32 hex digits."""
        return self._trace.id

    def set_inputs(self, inputs: Any) -> None:
        """What the step was given; anything JSON-like, as it is now."""
        self._inputs = self._clean("inputs", inputs)

    def set_outputs(self, outputs: Any) -> None:
        """What came out of it."""
        self._outputs = self._clean("outputs", outputs)

    def default_outputs(self, outputs: Any) -> None:
        """`set_outputs`, unless that was called."""
        if self._outputs is None:
            self.set_outputs(outputs)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Facts about it, by OpenTelemetry's names where there are any; those of other names stay."""
        cleaned = self._clean("attributes", attributes)
        if isinstance(cleaned, dict):
            self._attributes |= cleaned
        else:
            reason = "attributes of a span are a mapping of names to values"
            self._sink.tell([Problem(self.name, reason, kept=True)])

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None) -> None:
        """Something that happened during it."""
        event = {"name": redact_text(str(name)), "time": time.time_ns()}
        self._events.append({**event, "attributes": self._clean("event", dict(attributes or {}))})

    def enter(self) -> OpenSpan:
        """Be the innermost span of this context."""
        token = innermost.set(self)

        def reset() -> None:
            try:
                innermost.reset(token)
            except ValueError:  # left in another context, as an async generator may be
                innermost.set(None)

        self._reset.append(reset)
        return self

    def leave(self) -> None:
        """Be it no more."""
        if self._reset:
            self._reset.pop()()

    def fail(self, error: BaseException) -> None:
        """Keep the exception that ends it."""
        try:
            text = str(error)
        except Exception:  # a class of the script's own may fail even at that
            text = ""
        name = type(error).__name__
        self._error = redact_text(f"{name}: {text}" if text else name)
        stack = "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-_FRAMES))
        details = {
            "exception.type": name,
            "exception.message": redact_text(text),
            "exception.stacktrace": redact_text(stack),
        }
        self._events.append({"name": "exception", "time": time.time_ns(), "attributes": details})

    def end(self, seconds: float | None = None) -> None:
        """It is over; `seconds` where somebody else took the time. A second call does nothing."""
        if self._end is None:
            spent = time.perf_counter_ns() - self._since if seconds is None else int(seconds * 1e9)
            if seconds is not None:
                self.start -= spent
            self._end = self.start + max(0, spent)
            if self.parent is None:
                self._traces.end(self._trace, self._end)

    def frozen(self, end: int) -> Span:
        """As a part of the record; one that is still open ends at `end`."""
        unfinished = self._end is None and self._error is None
        return Span(
            id=self.id,
            parent=self.parent,
            name=redact_text(self.name),
            type=self._type,
            start=self.start,
            end=self._end if self._end is not None else max(end, self.start),
            error=UNFINISHED if unfinished else self._error,
            inputs=self._inputs,
            outputs=self._outputs,
            attributes=dict(self._attributes),
            events=list(self._events),
        )

    def __enter__(self) -> OpenSpan:
        return self.enter()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.leave()
        if error is not None:
            self.fail(error)
        self.end()

    def _clean(self, what: str, value: Any) -> Any:
        cleaned, problems = plain(f"{self.name}/{what}", value)
        if problems:
            self._sink.tell(problems)
        return self._sink.redact({what: cleaned}).get(what)
