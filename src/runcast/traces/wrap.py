"""`Run.trace` as a decorator and as a context manager."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, TypeVar, cast

from runcast.traces.open import OpenSpan, innermost

MOST_ITEMS = 1000
"""Items of a generator that are kept as its outputs."""
F = TypeVar("F", bound=Callable[..., Any])


class Tracer:
    """Opens a span for each ``with`` block, or for each call of the function that it decorates.

    Args:
        open_span: makes a span of this name.
        name: what is done; a decorated function's own name where left out.
        attributes: of each span.
        inputs: what the step is given; where left out, a function's arguments.
        capture: False keeps a function's arguments and result out of the trace.
    """

    def __init__(
        self,
        open_span: Callable[[str], OpenSpan],
        name: str | None,
        attributes: Mapping[str, Any] | None,
        inputs: Any,
        capture: bool,
    ) -> None:
        self._open_span = open_span
        self._name = name
        self._attributes = attributes
        self._inputs = inputs
        self._capture = capture
        self._entered: list[OpenSpan] = []

    def __enter__(self) -> OpenSpan:
        span = self._begin("span").enter()
        self._entered.append(span)
        return span

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        now = innermost.get()  # threads may share one of these
        span = now if now in self._entered and now is not None else self._entered[-1]
        self._entered.remove(span)
        span.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        """Trace every call of a function, coroutine function or generator function."""
        make = _plain
        if inspect.isasyncgenfunction(function):
            make = _async_generator
        elif inspect.iscoroutinefunction(function):
            make = _coroutine
        elif inspect.isgeneratorfunction(function):
            make = _generator
        return cast("F", functools.wraps(function)(make(self, function)))

    def _begin(self, fallback: str) -> OpenSpan:
        span = self._open_span(self._name or fallback)
        if self._attributes:
            span.set_attributes(self._attributes)
        if self._inputs is not None:
            span.set_inputs(self._inputs)
        return span

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> OpenSpan:
        """A span for one call."""
        span = self._begin(getattr(function, "__qualname__", "call").rpartition("<locals>.")[2])
        if self._capture and self._inputs is None:
            span.set_inputs(_arguments(function, args, named))
        return span

    def returned(self, span: OpenSpan, result: Any) -> None:
        """Keep what a call gave back."""
        if self._capture:
            span.default_outputs(result)


def _arguments(function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    try:
        bound = inspect.signature(function).bind(*args, **named)
    except (TypeError, ValueError):  # the call itself will say what is wrong with it
        return {"args": list(args), **named}
    given = dict(bound.arguments)
    return {key: value for key, value in given.items() if key not in ("self", "cls")}


def _plain(tracer: Tracer, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        with tracer.call(function, args, named) as span:
            result = function(*args, **named)
            tracer.returned(span, result)
            return result

    return call


def _coroutine(tracer: Tracer, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **named: Any) -> Any:
        with tracer.call(function, args, named) as span:
            result = await function(*args, **named)
            tracer.returned(span, result)
            return result

    return call


def _generator(tracer: Tracer, function: Callable[..., Any]) -> Callable[..., Any]:
    """The span is the innermost one while the body runs, and not while its consumer does."""

    def call(*args: Any, **named: Any) -> Generator[Any, Any, Any]:
        span = tracer.call(function, args, named)
        items: list[Any] = []
        body = function(*args, **named)
        sent = None
        try:
            while True:
                span.enter()
                try:
                    item = body.send(sent)
                finally:
                    span.leave()
                if len(items) < MOST_ITEMS:
                    items.append(item)
                sent = yield item
        except StopIteration as end:
            return end.value
        except GeneratorExit:
            body.close()
            raise
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            tracer.returned(span, items)
            span.end()

    return call


def _async_generator(tracer: Tracer, function: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*args: Any, **named: Any) -> AsyncGenerator[Any, Any]:
        span = tracer.call(function, args, named)
        items: list[Any] = []
        body = function(*args, **named)
        try:
            while True:
                span.enter()
                try:
                    item = await body.__anext__()
                finally:
                    span.leave()
                if len(items) < MOST_ITEMS:
                    items.append(item)
                yield item
        except StopAsyncIteration:
            return
        except GeneratorExit:
            await body.aclose()
            raise
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            tracer.returned(span, items)
            span.end()

    return call
