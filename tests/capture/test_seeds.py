"""One call seeds everything, and says what it could not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import runcast
from runcast.errors import UsageError
from runcast.journal import Layout, read_run
from runcast.records import Environment


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Leave this process as it was."""
    monkeypatch.setenv("PYTHONHASHSEED", os.environ.get("PYTHONHASHSEED", "random"))
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    from runcast import seeds

    state = random.getstate()
    yield
    random.setstate(state)
    seeds._last = None
    if torch := sys.modules.get("torch"):
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False


def test_the_same_numbers_again() -> None:
    """Python's, NumPy's and PyTorch's."""
    import numpy
    import torch

    def draw() -> tuple[float, float, float]:
        return random.random(), float(numpy.random.rand()), float(torch.rand(1))  # noqa: S311  # the old way is what is seeded

    seeds = runcast.seed_everything(42)
    first = draw()
    assert draw() != first
    runcast.seed_everything(42)

    assert draw() == first
    assert seeds.seeded[:3] == ["python", "numpy", "torch"]
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_it_says_what_it_could_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes of this process; packages that are not imported yet; algorithms that were not asked for."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    said = " ".join(runcast.seed_everything(3, deterministic=False).left_to_chance)

    assert "PYTHONHASHSEED=3" in said
    assert "torch, where it is imported later" in said
    assert "deterministic=False" in said
    assert os.environ["PYTHONHASHSEED"] == "3"
    assert "PYTHONHASHSEED" not in " ".join(runcast.seed_everything(3).left_to_chance)


def test_where_cuda_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in for PyTorch's answers: cuBLAS gets its setting, or is said to have started."""
    import torch

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    early = " ".join(runcast.seed_everything(3).left_to_chance)
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    late = " ".join(runcast.seed_everything(3).left_to_chance)

    assert "kernels of CUDA without a deterministic form" in early
    assert "CUBLAS_WORKSPACE_CONFIG=:4096:8 before" in late
    assert "CUBLAS_WORKSPACE_CONFIG" not in early


def test_children_get_the_hash_seed() -> None:
    """Two processes started afterwards agree on the hash of a text."""
    runcast.seed_everything(5)
    code = "print(hash('runcast'))"
    one, other = (subprocess.run([sys.executable, "-c", code], capture_output=True).stdout for _ in range(2))

    assert one == other


def test_the_current_run_records_it(project: Path) -> None:
    """Whether it was seeded before the start or after."""
    with runcast.start("e", config={"delivery": "later"}) as run:
        runcast.seed_everything(9)
    with runcast.start("e", config={"delivery": "later"}) as later:
        pass

    for each in (run, later):
        records = [r for r in read_run(Layout(".runcast").run(each.id)) if isinstance(r, Environment)]
        assert records[-1].values["seeds"]["seed"] == 9


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "7", None, True])
def test_what_is_no_seed(seed: Any) -> None:
    """NumPy would refuse it too, after half of the work was done."""
    with pytest.raises(UsageError, match="a seed is a whole number from 0 to 4294967295"):
        runcast.seed_everything(seed)


def test_numpy_integers_are_seeds() -> None:
    """Sweeps draw them."""
    import numpy

    assert runcast.seed_everything(numpy.int64(11)).seed == 11
