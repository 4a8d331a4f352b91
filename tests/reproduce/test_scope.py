"""``runcast.reproducible``: chance is settled inside, and goes on outside as if nothing had been."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch

import runcast
from runcast import seeds
from runcast.errors import UsageError
from runcast.journal import Layout, read_run
from runcast.records import Environment


def draw() -> tuple[float, float, float]:
    """One number of each generator."""
    return random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: S311  # the seeded ones


def test_each_call_draws_the_same() -> None:
    """Also when it raises in between, and when it calls itself."""

    @runcast.reproducible(seed=42)
    def train(depth: int = 0) -> list[tuple[float, float, float]]:
        """Draw."""
        if depth < 0:
            raise RuntimeError
        return [draw(), *(train(depth - 1) if depth else []), draw()]

    first = train()
    with pytest.raises(RuntimeError):
        train(-1)

    assert train() == first
    nested = train(1)
    assert nested[1:3] == first
    assert [nested[0], nested[3]] == first
    assert train.__doc__ == "Draw."


def test_outside_nothing_changes() -> None:
    """Generators go on, switches and variables are as they were, and the last seed is not remembered."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    without = [draw(), draw()]
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    variables = {name: os.environ.get(name) for name in ("PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG")}

    first = draw()
    with runcast.reproducible(seed=5) as done:
        assert (done.seed, torch.are_deterministic_algorithms_enabled()) == (5, True)
        draw()
    assert [first, draw()] == without
    assert not torch.are_deterministic_algorithms_enabled()
    assert {name: os.environ.get(name) for name in variables} == variables
    assert seeds.last() is None


def test_the_run_records_the_seed(project: Path) -> None:
    """Whichever of the two is entered first."""
    with (
        runcast.reproducible(seed=8, deterministic=False),
        runcast.start("e", config={"delivery": "later"}) as inner,
    ):
        pass
    with runcast.start("e", config={"delivery": "later"}) as outer, runcast.reproducible(seed=9):
        pass

    for run, seed in ((inner, 8), (outer, 9)):
        records = read_run(Layout(project / ".runcast").run(run.id))
        (about,) = [r.values["seeds"] for r in records if isinstance(r, Environment)]
        assert (about["seed"], about["deterministic"]) == (seed, seed == 9)


def test_functions_of_other_kinds() -> None:
    """A coroutine is seeded while it runs; a generator is refused with the mend; so is what is no seed."""

    @runcast.reproducible(seed=1)
    async def train() -> tuple[float, float, float]:
        return draw()

    assert asyncio.run(train()) == asyncio.run(train())
    with pytest.raises(UsageError, match=r"is a generator.*inside of it"):

        @runcast.reproducible(seed=1)
        def batches():  # type: ignore[no-untyped-def]  # a test's
            yield 1

    with pytest.raises(UsageError, match="a seed is a whole number"), runcast.reproducible(seed=-1):
        pass
