"""All runs on their way to one backend, in one thread of one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from runcast.courier.lane import Lane, Outcome
from runcast.courier.pace import Breaker
from runcast.errors import ConfigError, Halt
from runcast.journal import Layout
from runcast.plugins.backend import Backend
from runcast.redact import MASK, redact_text

SLICE = 2.0
"""Seconds of one run before the next run has its turn; one batch at least."""


class Delivery:
    """Steps through the lanes of one backend, each in its turn, and forgets the finished ones.

    Args:
        layout: the runcast directory.
        name: the backend's name.
        find: gives the backend's class; called at the first use, because it imports the plugin.
        clock: monotonic seconds.
        beat: called before each call into the backend with the run and the seconds that it may take.
        once: a lane is done as soon as it has nothing to do, whether its run is over or not.
    """

    def __init__(
        self,
        layout: Layout,
        name: str,
        find: Callable[[], type[Backend]],
        *,
        clock: Callable[[], float] = time.monotonic,
        beat: Callable[[str, float], None] = lambda run, seconds: None,
        once: bool = False,
    ) -> None:
        self.name = name
        self._once = once
        self.lanes: dict[str, Lane] = {}
        self.paused: set[str] = set()
        self.done = 0
        """Batches acknowledged so far: whoever waits can see progress."""
        self._options: dict[str, dict[str, Any]] = {}
        self._ending: set[str] = set()
        self._layout = layout
        self._find = find
        self._clock = clock
        self._beat = beat
        self._breaker = Breaker(clock)

    def add(self, run: str, options: Mapping[str, Any]) -> None:
        """Begin to carry a run; a run that is known already is tried again at once, with these options."""
        self._ending.discard(run)
        self.paused.discard(run)
        if run in self.lanes:
            if self._options[run] == dict(options):
                self.lanes[run].due = 0.0
                return
            self.lanes[run].close()
        self._options[run] = dict(options)
        self.lanes[run] = Lane(
            self._layout,
            run,
            self.name,
            lambda: self._make(options),
            clock=self._clock,
            beat=lambda seconds: self._beat(run, seconds),
        )

    def end(self, run: str) -> None:
        """Nothing more will come of this run: let go of it as soon as there is nothing to do."""
        self._ending.add(run)

    def work(self) -> float | None:
        """Deliver everything that is due.

        Returns:
            Seconds until something is due again without news, or None where only news can help.
        """
        if wait := self._breaker.wait():
            return wait
        more = False
        for run, lane in list(self.lanes.items()):
            if run in self.paused or lane.due > self._clock():
                continue
            outcome = self._step(run, lane)
            more = more or (outcome == "progress" and not lane.drained)
            if outcome == "retry" and self._breaker.open:
                return self._breaker.wait()  # the tracker is down: the other runs need not try
        if more:
            return 0.0
        now = self._clock()
        times = [lane.due for run, lane in self.lanes.items() if lane.due > now and run not in self.paused]
        return max(0.0, min(times) - now) if times else None

    def close(self) -> None:
        """Let go of every run."""
        for lane in self.lanes.values():
            lane.close()
        self.lanes.clear()

    def _step(self, run: str, lane: Lane) -> Outcome:
        until = self._clock() + SLICE
        to_the_end = self._once or run in self._ending
        while (outcome := lane.step()) == "progress":
            self.done += 1
            self._breaker.succeed()
            # What is written meanwhile waits for the next news: a script that logs all the time would
            # otherwise keep the tracker busy with batches of one record.
            if self._clock() >= until or (lane.drained and not to_the_end):
                break
        if outcome == "retry":
            self._breaker.fail(lane.retry_after)
        elif outcome == "paused":
            self.paused.add(run)
            lane.close()
        elif outcome == "finished" or (outcome in ("idle", "busy") and (self._once or run in self._ending)):
            lane.close()
            del self.lanes[run], self._options[run]
            self._ending.discard(run)
        elif outcome == "busy":
            lane.due = self._clock() + 1.0
        return outcome

    def _make(self, options: Mapping[str, Any]) -> Backend:
        for option, value in options.items():
            if MASK in str(value):
                variable = f"RUNCAST_{self.name.upper().replace('-', '_')}__{option.upper()}"
                raise Halt(
                    f"{self.name}.{option} holds a secret, which runcast never writes down: set {variable}, "
                    f"or put it under [{self.name}] in runcast.toml, and run `runcast deliver`"
                )
        try:
            backend = self._find()
            return backend(backend.Options.model_validate(dict(options)))
        except ConfigError as error:
            raise Halt(f"{self.name}: {error}") from error
        except ValidationError as error:
            # Without the values: they may be secret.
            problems = (
                f"{self.name}.{'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors(include_input=False, include_url=False, include_context=False)
            )
            raise Halt(redact_text("; ".join(problems))) from None
        except OSError:
            raise  # may pass
        except (Exception, SystemExit) as error:
            raise Halt(f"{self.name}: cannot be made: {type(error).__name__}: {error}") from None
