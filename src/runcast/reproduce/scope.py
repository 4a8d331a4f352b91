"""``runcast.reproducible``: a stretch of a script in which chance is settled."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, TypeVar

from runcast import seeds
from runcast.errors import UsageError
from runcast.seeds import Seeds, seed_everything

_F = TypeVar("_F", bound=Callable[..., Any])
_VARIABLES = ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG")


class reproducible:  # a decorator and a context manager, spelled as both are
    """Seed every generator, as `runcast.seed_everything` does, for a block or each call of a function.

    ::

        @runcast.reproducible(seed=42)
        def train(): ...

        with runcast.reproducible(seed=42) as seeds:
            print(seeds.left_to_chance)

    Afterwards the generators of Python, NumPy and PyTorch go on where they were before, PyTorch's switches
    are as they were, and so are the variables that were set. TensorFlow's generators and switches stay.

    Args:
        seed: 0 to 2**32 - 1.
        deterministic: also ask for deterministic algorithms.

    Raises:
        UsageError: not a seed (when it is entered), or a generator function is decorated.
    """

    def __init__(self, seed: int, *, deterministic: bool = True) -> None:
        self.seed = seed
        self.deterministic = deterministic
        self._stacks: list[ExitStack] = []

    def __enter__(self) -> Seeds:
        with ExitStack() as stack:
            stack.enter_context(_restored())
            done = seed_everything(self.seed, self.deterministic)
            self._stacks.append(stack.pop_all())
        return done

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stacks.pop().close()

    def __call__(self, function: _F) -> _F:
        """Decorate a function, also an ``async`` one."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UsageError(
                f"{function.__qualname__} is a generator, which others run in between: use "
                "`with runcast.reproducible(...)` inside of it"
            )
        made: Any = (
            self._awaited(function) if inspect.iscoroutinefunction(function) else self._called(function)
        )
        return functools.wraps(function)(made)  # type: ignore[return-value]  # it has the function's signature

    def _called(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with reproducible(self.seed, deterministic=self.deterministic):
                return function(*arguments, **named)

        return call

    def _awaited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            with reproducible(self.seed, deterministic=self.deterministic):
                return await function(*arguments, **named)

        return call


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Afterwards everything that `seed_everything` changes is as it was."""
    state = random.getstate()
    last = seeds._last
    variables = {name: os.environ.get(name) for name in _VARIABLES}
    undo = [*_numpy(), *_torch()]
    try:
        yield
    finally:
        random.setstate(state)
        seeds._last = last  # a run that starts later is not a seeded one
        for name, text in variables.items():
            if text is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = text
        for each in undo:
            each()


def _numpy() -> Iterator[Callable[[], Any]]:
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        yield functools.partial(numpy.random.set_state, numpy.random.get_state())


def _torch() -> Iterator[Callable[[], Any]]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return
    yield functools.partial(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        yield functools.partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    yield functools.partial(
        torch.use_deterministic_algorithms,
        torch.are_deterministic_algorithms_enabled(),
        warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cudnn = torch.backends.cudnn
    for name in ("benchmark", "deterministic"):
        yield functools.partial(setattr, cudnn, name, getattr(cudnn, name))
