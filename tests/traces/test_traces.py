"""Traces: whole, nested as the calls were, with what went in and out, and never in the script's way."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.journal import Layout, read_run
from runcast.records import Define, Lost, Span, Trace
from runcast.traces import open as opened


@pytest.fixture
def run(project: Path) -> runcast.Run:
    """A run that only writes its journal."""
    return runcast.start("exp", config={"delivery": "later"})


def said(run: runcast.Run, kind: type[Any] = Trace) -> list[Any]:
    """The records of one kind, read back."""
    return [r for r in read_run(Layout(".runcast").run(run.id)) if isinstance(r, kind)]


def tree(trace: Trace) -> dict[str, str | None]:
    """Name of each span → name of the one around it."""
    names = {span.id: span.name for span in trace.spans}
    return {span.name: names.get(span.parent or "") for span in trace.spans}


def test_nested_steps_are_one_trace(run: runcast.Run) -> None:
    """The outermost step's end logs the whole, with what each step was given and gave back."""
    with run.trace("answer", type="chain", tags={"env": "test"}, session="s1") as span:
        span.set_inputs({"question": {"text": "why"}})
        with run.trace("retrieve", type="retriever", attributes={"top_k": 3}) as inner:
            inner.add_event("cache miss", {"key": "k"})
            inner.set_outputs(["a", "b"])
        assert said(run) == []
        span.set_outputs("because")

    (trace,) = said(run)
    outer, inner_span = trace.spans
    assert tree(trace) == {"answer": None, "retrieve": "answer"}
    assert (trace.tags, trace.session, len(trace.id)) == ({"env": "test"}, "s1", 32)
    assert (outer.type, outer.inputs, outer.outputs) == ("chain", {"question": {"text": "why"}}, "because")
    assert (inner_span.attributes, inner_span.outputs) == ({"top_k": 3}, ["a", "b"])
    assert inner_span.events[0]["name"] == "cache miss"
    assert outer.start <= inner_span.start <= inner_span.end <= outer.end
    assert outer.error is None


def test_a_decorated_function_tells_arguments_and_result(run: runcast.Run) -> None:
    """With or without parentheses; methods leave out self; recursion nests."""

    @run.trace
    def factorial(n: int) -> int:
        return 1 if n <= 1 else n * factorial(n - 1)

    class Model:
        """Has a method."""

        @run.trace(name="predict", type="tool")
        def predict(self, x: float, *, scale: float = 1.0) -> float:
            """Multiply."""
            return x * scale

    assert factorial(3) == 6
    assert Model().predict(2.0, scale=3.0) == 6.0
    assert (factorial.__name__, Model.predict.__doc__) == ("factorial", "Multiply.")

    first, second = said(run)
    assert [(s.inputs, s.outputs) for s in first.spans] == [({"n": 3}, 6), ({"n": 2}, 2), ({"n": 1}, 1)]
    assert [s.parent for s in first.spans] == [None, first.spans[0].id, first.spans[1].id]
    (span,) = second.spans
    assert (span.name, span.type, span.inputs, span.outputs) == (
        "predict",
        "tool",
        {"x": 2.0, "scale": 3.0},
        6.0,
    )


def test_an_exception_is_recorded_and_goes_on(run: runcast.Run) -> None:
    """Type, text and stack, without the secret in it."""
    with pytest.raises(ValueError, match="no luck"), run.trace("outer"), run.trace("inner"):
        raise ValueError("no luck with password=hunter2secret")

    outer, inner = said(run)[0].spans
    for span in (outer, inner):
        assert span.error.startswith("ValueError: no luck")
        assert span.events[0]["attributes"]["exception.type"] == "ValueError"
        assert "test_traces.py" in span.events[0]["attributes"]["exception.stacktrace"]
        assert "hunter2" not in str(span)


def test_secrets_are_masked_everywhere(run: runcast.Run) -> None:
    """In arguments by name, in text by form, in attributes and names."""

    @run.trace
    def call(api_key: str, url: str) -> dict[str, str]:
        return {"token": "t0ps3cret-value"}

    call("sk-verysecretvalue", "https://me:hunter2@host/x")
    with run.trace("x", attributes={"db_password": "hunter2"}, tags={"password": "hunter2"}):
        pass

    text = str(said(run))
    assert not [word for word in ("verysecret", "hunter2", "t0ps3cret") if word in text]


def test_inputs_are_as_they_were_at_the_call(run: runcast.Run) -> None:
    """A list of messages that grows afterwards does not change what was said."""

    @run.trace
    def chat(messages: list[str]) -> list[str]:
        messages.append("more")
        return messages

    result = chat(["hi"])
    result.append("later")

    (span,) = said(run)[0].spans
    assert (span.inputs, span.outputs) == ({"messages": ["hi"]}, ["hi", "more"])


def test_asyncio_tasks_stand_below_the_step_that_made_them(run: runcast.Run) -> None:
    """Concurrent tasks do not mix; coroutine functions can be decorated."""

    @run.trace(type="tool")
    async def fetch(n: int) -> int:
        await asyncio.sleep(0)
        with run.trace(f"part {n}"):
            await asyncio.sleep(0)
        return n

    async def main() -> None:
        with run.trace("all"):
            await asyncio.gather(fetch(1), fetch(2))
        await fetch(3)

    asyncio.run(main())

    both, alone = said(run)
    ids = {span.id: span for span in both.spans}
    assert sorted(span.name for span in both.spans) == ["all", "fetch", "fetch", "part 1", "part 2"]
    for span in both.spans:
        if span.name.startswith("part"):
            assert ids[span.parent].inputs == {"n": int(span.name[-1])}
    assert tree(alone) == {"fetch": None, "part 3": "fetch"}


def test_generators_are_traced_while_they_run(run: runcast.Run) -> None:
    """The items are the outputs; the consumer's own steps stay outside; closing early is no error."""

    @run.trace
    def stream(n: int) -> Iterator[int]:
        for i in range(n):
            with run.trace(f"make {i}"):
                pass
            yield i

    @run.trace
    async def astream() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    async def consume() -> list[str]:
        return [item async for item in astream()]

    for _ in stream(2):
        with run.trace("consumer"):
            pass
    early = stream(5)
    next(early)
    early.close()
    assert asyncio.run(consume()) == ["a", "b"]

    traces = {trace.spans[0].name + str(n): trace for n, trace in enumerate(said(run))}
    whole = next(t for t in traces.values() if t.spans[0].outputs == [0, 1])
    assert tree(whole) == {"stream": None, "make 0": "stream", "make 1": "stream"}
    cut = next(t for t in traces.values() if t.spans[0].outputs == [0])
    assert cut.spans[0].error is None
    assert [t.spans[0].outputs for t in traces.values()][-1] == ["a", "b"]


def test_threads_begin_their_own_trace_unless_they_run_in_a_copy(run: runcast.Run) -> None:
    """As the documentation says."""

    def work(name: str) -> None:
        with run.trace(name):
            pass

    with run.trace("main"):
        copy = contextvars.copy_context()
        threads = [
            threading.Thread(target=work, args=("alone",)),
            threading.Thread(target=copy.run, args=(work, "below")),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [tree(trace) for trace in said(run)] == [{"alone": None}, {"main": None, "below": "main"}]


def test_one_call_of_a_model(run: runcast.Run) -> None:
    """By OpenTelemetry's names; inside a trace it is a step of it."""
    run.log_llm(
        messages=[{"role": "user", "content": "2+2?"}],
        completion="4",
        model="gpt-4o",
        provider="openai",
        input_tokens=5,
        output_tokens=1,
        cost=0.0001,
        latency=1.5,
        tool_calls=[{"name": "add", "arguments": {"a": 2, "b": 2}}],
        session="c1",
    )
    with run.trace("agent", type="agent"):
        run.log_llm(prompt="hello", completion="hi", error=TimeoutError("slow"))

    alone, nested = said(run)
    (span,) = alone.spans
    assert (span.type, alone.session) == ("llm", "c1")
    assert span.end - span.start == 1_500_000_000
    assert span.inputs == {"messages": [{"role": "user", "content": "2+2?"}]}
    assert span.outputs["tool_calls"][0]["name"] == "add"
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 1,
        "gen_ai.usage.cost": 0.0001,
        "gen_ai.conversation.id": "c1",
    }
    assert tree(nested) == {"agent": None, "llm": "agent"}
    assert nested.spans[1].attributes == {"gen_ai.operation.name": "text_completion"}
    assert nested.spans[1].error == "TimeoutError: slow"


def test_what_is_open_when_the_run_ends_is_kept(run: runcast.Run) -> None:
    """As far as it came, and it says that it was still open; a late end changes nothing."""
    outer = run.trace("outer")
    outer.__enter__()
    with run.trace("done"):
        pass
    run.finish()
    outer.__exit__(None, None, None)

    (trace,) = said(run)
    assert {span.name: span.error for span in trace.spans} == {"outer": opened.UNFINISHED, "done": None}


def test_a_task_that_outlives_its_trace_begins_another(run: runcast.Run) -> None:
    """Nothing is written into a trace that is logged already."""

    async def main() -> None:
        with run.trace("request"):
            task = asyncio.create_task(later())
        await task

    async def later() -> None:
        await asyncio.sleep(0)
        with run.trace("background"):
            pass

    asyncio.run(main())

    assert [tree(trace) for trace in said(run)] == [{"request": None}, {"background": None}]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python warns of fork in a process with threads
def test_a_forked_child_does_not_repeat_its_parents_trace(run: runcast.Run) -> None:
    """The open steps of the parent are the parent's."""
    with run.trace("parent"):
        if (pid := os.fork()) == 0:
            try:
                with run.trace("child"):
                    pass
                if run._traces is not None:
                    run._traces.end_all()
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    assert [trace.spans[0].name for trace in said(run)] == ["parent"]


class Hostile:
    """Fails at everything."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


def test_bad_values_never_reach_the_script(run: runcast.Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Cycles, huge arrays, objects that fail, wrong attributes: told once, and the trace is there."""
    cycle: list[Any] = []
    cycle.append(cycle)

    @run.trace
    def call(*args: Any, **named: Any) -> Any:
        return args[0]

    call(Hostile(), cycle, {1: float("nan")}, key=object)
    with run.trace("x", type="nonsense") as span:
        span.set_attributes(["no", "mapping"])  # type: ignore[arg-type]
        span.set_inputs({Hostile(): 2**80})
    with pytest.raises(TypeError):
        run.trace(lambda a: a)()  # type: ignore[misc]

    assert len(said(run)) == 3
    lost = said(run, Lost)
    assert any("contains itself" in record.reason for record in lost)
    assert any("no type of span" in record.reason for record in lost)


def test_a_trace_without_end_is_bounded(run: runcast.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond the limit is counted."""
    monkeypatch.setattr(opened, "MOST_SPANS", 10)
    with run.trace("loop"):
        for n in range(30):
            with run.trace(str(n)):
                pass

    (trace,) = said(run)
    assert len(trace.spans) == 10
    assert "21 more were left out" in said(run, Lost)[0].reason


def test_a_muted_run_traces_nothing_and_works(project: Path) -> None:
    """The same script with runcast switched off."""
    run = runcast.start("exp", config={"enabled": False})

    @run.trace
    def double(x: int) -> int:
        return 2 * x

    with run.trace("x") as span:
        span.set_inputs({"a": 1})
        assert double(2) == 4
    run.log_llm(prompt="p", completion="c")
    run.define_metric("a", goal="maximize")
    assert not Path(".runcast").exists()


def test_define_metric(run: runcast.Run, capfd: pytest.CaptureFixture[str]) -> None:
    """Goal and summaries are recorded; wrong words are told, the rest is kept."""
    run.define_metric("val/acc", goal="maximize", summary=["max", "last", "max"])
    run.define_metric("loss/*", summary="min")
    run.define_metric("x", goal="up", summary=["best", "median"])  # type: ignore[arg-type]
    run.define_metric("y")

    assert [(r.key, r.goal, r.summary) for r in said(run, Define)] == [
        ("val/acc", "maximize", ["max", "last"]),
        ("loss/*", None, ["min"]),
        ("x", None, ["best"]),
    ]
    reasons = " ".join(record.reason for record in said(run, Lost))
    assert "'median' is no summary" in reasons
    assert "use minimize or maximize" in reasons
    assert "needs goal= or summary=" in reasons


def test_spans_survive_the_journal(run: runcast.Run) -> None:
    """Numbers that JSON cannot say, lone surrogates and keys with a dollar come back."""
    with run.trace("x") as span:
        span.set_inputs({"$float": "nan", "inf": float("inf"), "half": "\ud800"})

    (found,) = said(run)[0].spans
    assert isinstance(found, Span)
    assert found.inputs == {"$float": "nan", "inf": float("inf"), "half": "\ud800"}
