"""What a run says of the steps in its script, and of how its metrics are to be summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from runcast import normalize
from runcast.records import Define, Record

if TYPE_CHECKING:  # a script that traces nothing need not wait for these imports
    from runcast.journal import JournalWriter
    from runcast.traces import OpenSpan, OpenTraces, Tracer
    from runcast.trouble import Trouble

F = TypeVar("F", bound=Callable[..., Any])
_TYPES = ("llm", "chain", "tool", "retriever", "embedding", "agent", "")
_SUMMARIES = ("min", "max", "mean", "last", "best")


class RunTraces:
    """The part of `runcast.Run` that traces calls and defines metrics."""

    _writer: JournalWriter | None
    _finished: bool
    _trouble: Trouble
    _traces: OpenTraces | None

    if TYPE_CHECKING:  # `Run` has them

        def _say(
            self, make: Callable[[int], Record], worth_it: bool, problems: list[normalize.Problem]
        ) -> None: ...

        def _redacted(self, values: Mapping[str, Any]) -> dict[str, Any]: ...

    @overload
    def trace(self, name: F) -> F: ...

    @overload
    def trace(
        self,
        name: str | None = None,
        *,
        type: str = "",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        session: str | None = None,
        capture: bool = True,
    ) -> Tracer: ...

    def trace(
        self,
        name: str | F | None = None,
        *,
        type: str = "",
        inputs: Any = None,
        attributes: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        session: str | None = None,
        capture: bool = True,
    ) -> Tracer | F:
        """Time a step: ``with run.trace("retrieve") as span:``, or ``@run.trace`` above a function.

        Steps inside it, in other functions and asyncio tasks too, stand below it. The whole trace is
        logged when the outermost step ends; an exception is recorded and goes on.

        Args:
            name: what is done; a decorated function's own name where left out.
            type: ``llm``, ``chain``, ``tool``, ``retriever``, ``embedding``, ``agent`` or ``""``.
            inputs: what the step is given; where left out, a decorated function's arguments.
            attributes: facts, by OpenTelemetry's names where there are any.
            tags: labels of the whole trace.
            session: what groups traces, such as a conversation.
            capture: False keeps a function's arguments and result out of the trace.
        """
        labels, problems = normalize.tags(tags)
        labels = self._redacted(labels)
        if type not in _TYPES:
            problems.append(normalize.Problem(str(type), f"no type of span; known: {', '.join(_TYPES[:-1])}"))
            type = ""
        if problems:
            self._tell(problems)

        from runcast.traces import Tracer

        def open_span(title: str) -> OpenSpan:
            return self._open_span(title, type, labels, session)

        quiet = self._writer is None or not capture
        if callable(name):
            return Tracer(open_span, None, attributes, inputs, not quiet)(name)
        return Tracer(open_span, name if name is None else str(name), attributes, inputs, not quiet)

    def log_llm(
        self,
        *,
        prompt: str | None = None,
        messages: Sequence[Any] | None = None,
        completion: Any = None,
        model: str | None = None,
        provider: str | None = None,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cost: float | None = None,
        latency: float | None = None,
        tool_calls: Sequence[Any] | None = None,
        session: str | None = None,
        name: str = "llm",
        tags: Mapping[str, Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Log one finished call of a language model; inside `trace` it becomes a step of that trace.

        Args:
            prompt, messages: what was asked.
            completion: what was answered.
            model, provider: such as ``gpt-4o`` and ``openai``.
            input_tokens, output_tokens: as the provider counted them.
            cost: in US dollars.
            latency: in seconds; the step then began so long ago.
            tool_calls: what the model wanted called.
            session: the conversation.
            name: what the step is called.
            tags: labels of the whole trace.
            error: what went wrong.
        """
        labels, problems = normalize.tags(tags)
        if problems:
            self._tell(problems)
        from runcast.traces import llm_attributes, llm_inputs, llm_outputs

        span = self._open_span(str(name), "llm", self._redacted(labels), session)
        span.set_inputs(llm_inputs(prompt, messages))
        span.set_outputs(llm_outputs(completion, tool_calls))
        span.set_attributes(
            llm_attributes(
                model=model,
                provider=provider,
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cost=cost,
                session=session,
                operation="text_completion" if messages is None and prompt is not None else "chat",
            )
        )
        if error is not None:
            span.fail(error)
        span.end(latency if isinstance(latency, (int, float)) and 0 <= latency < 1e9 else 0.0)

    def define_metric(
        self,
        key: str,
        *,
        goal: Literal["minimize", "maximize"] | None = None,
        summary: Iterable[str] | str = (),
    ) -> None:
        """Say how a metric is summed up, and which direction is better.

        Args:
            key: name of the metric, or a pattern such as ``val/*``.
            goal: ``minimize`` or ``maximize``.
            summary: what people want to see of it: ``min``, ``max``, ``mean``, ``last``, ``best``.
        """
        several = isinstance(summary, Iterable) and not isinstance(summary, str)
        given = list(summary) if several else [summary]
        wanted = list(dict.fromkeys(one for one in given if one in _SUMMARIES))
        unknown = [one for one in given if one not in _SUMMARIES]
        known = ", ".join(_SUMMARIES)
        problems = [normalize.Problem(str(key), f"{one!r} is no summary; known: {known}") for one in unknown]
        if goal not in (None, "minimize", "maximize"):
            problems.append(normalize.Problem(str(key), f"goal={goal!r}: use minimize or maximize"))
            goal = None
        if not (goal or wanted or problems):
            problems.append(normalize.Problem(str(key), "define_metric needs goal= or summary="))
        self._say(
            lambda now: Define(time=now, key=str(key), goal=goal, summary=wanted),
            bool(goal or wanted),
            problems,
        )

    # What open spans need.

    def _open_span(self, name: str, type: str, tags: dict[str, str], session: str | None) -> OpenSpan:
        from runcast.traces import OpenSpan, OpenTraces, Sink

        if self._traces is None:
            # In one step: threads may trace at once.
            self.__dict__.setdefault("_open_traces", OpenTraces())
            self._traces = self.__dict__["_open_traces"]
        sink = Sink(
            keep=lambda trace: self._say(lambda now: trace, True, []), tell=self._tell, redact=self._redacted
        )
        return OpenSpan(sink, self._traces, name, type, tags, session)

    def _tell(self, problems: list[normalize.Problem]) -> None:
        self._say(_nothing, False, problems)


def _nothing(now: int) -> Record:
    raise AssertionError("there is nothing to say")
