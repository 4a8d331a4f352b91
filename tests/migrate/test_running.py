"""A run that is still being written: it can be read back as far as it came, and goes on later."""

from __future__ import annotations

import math

import pytest

from runcast.migrate.verify import verify
from runcast.records import Media, Metrics

from .toy import Toy, a_run, bring

pytestmark = pytest.mark.slow
START = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    "dest", ["mlflow:sqlite:///m.db", "wandb:./wandb", "tensorboard:./tb", "local:there"]
)
def test_it_is_exact_before_its_end_and_after(toy: Toy, dest: str) -> None:
    """Its last row, infinities, nanoseconds and media, though no end came; then more, and the end."""
    whole = a_run(points=4)
    odd = Metrics(time=START + 500, step=7, values={"x": -math.inf, "huge": 2**60 + 1})
    text = Media(time=START + 501, key="said", step=7, type="text", text="hello")
    toy.runs_["a"] = [*whole[:-2], odd, text]
    plan, progress = bring(dest)
    assert progress.delivered == 1
    assert [result.differences for result in verify(plan)] == [[]]
    toy.runs_["a"] = [*whole[:-2], odd, text, *whole[-2:]]
    plan, progress = bring(dest)
    assert (progress.delivered, progress.conflicts) == (1, 0)
    assert [result.differences for result in verify(plan)] == [[]]
