"""What the script said and what could not be kept: told once per name, counted always."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from runcast.errors import RuncastError, UsageError
from runcast.normalize import Problem
from runcast.normalize.problem import look, type_name
from runcast.notices import warn
from runcast.records import Lost
from runcast.redact import redact_text

MOST_NAMES = 1000
"""Problems that are told apart; a script that makes up names must not fill memory and log with them."""
_MORE = f"more than {MOST_NAMES} names had a problem: the others are counted together"


class Trouble:
    """Turns problems into warnings and ``lost`` records, or into exceptions where `strict`.

    The first problem of a name is warned of and recorded at once; later ones are counted, and the
    count is recorded by `settle`.
    """

    def __init__(self, *, strict: bool, keep: Callable[[Lost], None]) -> None:
        self._strict = strict
        self._keep = keep
        self._counts: dict[tuple[str, str], int] = {}

    def tell(self, problems: Sequence[Problem], now: int) -> None:
        """Take note of problems.

        Raises:
            UsageError: with ``strict=True``.
        """
        for problem in problems:
            problem = problem._replace(key=redact_text(problem.key), reason=redact_text(problem.reason))
            known = (problem.key, problem.reason)
            if known not in self._counts and len(self._counts) >= MOST_NAMES:
                problem = Problem("", _MORE, "")
                known = (problem.key, problem.reason)
            if known in self._counts:
                self._counts[known] += 1
                continue
            self._counts[known] = 0
            detail = redact_text(problem.detail) if problem.detail else None
            self._keep(Lost(time=now, key=problem.key, reason=problem.reason, detail=detail))
            if not self._strict:
                self.warn(problem.key, problem.reason, kept=problem.kept)
        if problems and self._strict:
            raise UsageError("; ".join(f"{redact_text(p.key)!r}: {redact_text(p.reason)}" for p in problems))

    def warn(self, key: str, reason: str, *, kept: bool = False) -> None:
        """Tell a person; `kept` as of `Problem`."""
        what = f"{key!r} was not logged" if key else "something was not logged"
        warn(f"{what}{' in full' if kept else ''}: {redact_text(reason)}")

    def settle(self, now: int) -> None:
        """Record how often the known problems came again."""
        counts, self._counts = self._counts, dict.fromkeys(list(self._counts), 0)
        for (key, reason), count in list(counts.items()):  # other threads may still be logging
            if count:
                self._keep(Lost(time=now, key=key, reason=reason, count=count))


class _Troubled(Protocol):
    _trouble: Trouble


P = ParamSpec("P")
S = TypeVar("S", bound=_Troubled)


def harmless(call: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """A call that tells whatever a value of the script or its library raises, instead of raising it."""

    @wraps(call)
    def harmless_call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(self, *args, **kwargs)
        except RuncastError:  # with ``strict=True``
            raise
        except Exception as error:
            key = kwargs.get("name") or (look(args[0]) if args else "")
            reason = f"{call.__name__} met {type_name(error)}: {str(error)[:200]}; see its arguments"
            self._trouble.tell([Problem(str(key), reason)], time.time_ns())

    return harmless_call
