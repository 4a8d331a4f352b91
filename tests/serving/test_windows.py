"""What examples/serving makes of a window, compared with other people's formulas."""

from __future__ import annotations

import runpy
import threading
from typing import Any

import pytest

from .conftest import EXAMPLE


@pytest.fixture(scope="module")
def windows() -> dict[str, Any]:
    """The module, as the example has it."""
    return runpy.run_path(str(EXAMPLE / "windows.py"))


def test_psi_is_jeffreys_divergence(windows: dict[str, Any]) -> None:
    """PSI is KL both ways, as SciPy reckons it, of the shares with half a count in each bin."""
    import numpy as np
    from scipy.stats import entropy

    random = np.random.default_rng(0)
    for _ in range(20):
        expected, actual = random.integers(0, 50, (2, 10))
        e, a = expected + 0.5, actual + 0.5
        assert windows["psi"](expected, actual) == pytest.approx(entropy(e, a) + entropy(a, e))
    assert windows["psi"]([5] * 10, [5] * 10) == 0


def test_without_drift_psi_is_what_chance_gives(windows: dict[str, Any]) -> None:
    """Over many windows of the training distribution itself, the mean is what `by_chance` says."""
    import numpy as np

    random = np.random.default_rng(1)
    found = []
    for _ in range(200):
        training = windows["reference"](random.normal(size=2000))
        window = windows["binned"](random.normal(size=400), training["edges"])
        found.append(windows["psi"](training["counts"], window))
    assert np.mean(found) == pytest.approx(windows["by_chance"](training["counts"], 400), rel=0.25)


def test_a_shift_shows(windows: dict[str, Any]) -> None:
    """One standard deviation is far over the limit of 0.25; the other columns stay below 0.1."""
    import numpy as np

    random = np.random.default_rng(2)
    training = {
        "inputs": {name: windows["reference"](random.normal(size=2000)) for name in ("a", "b")},
        "scores": windows["reference"](random.uniform(size=2000)),
    }
    inputs = random.normal([1.0, 0.0], size=(1000, 2))
    values = windows["summary"]([windows["Seen"](1.0, inputs, random.uniform(size=1000))], training)
    assert values["drift"]["a"] > 0.25
    assert values["drift"]["b"] < 0.1
    assert values["drift"]["score"] < 0.1
    assert (values["requests"], values["predictions"]) == (1, 1000)


def test_a_column_of_one_value_has_an_index(windows: dict[str, Any]) -> None:
    """Deciles that are all the same give one edge, and a finite index."""
    training = windows["reference"]([3.0] * 50)
    assert windows["psi"](training["counts"], windows["binned"]([3.0] * 9, training["edges"])) < 0.1
    assert 1 < windows["psi"](training["counts"], windows["binned"]([9.0] * 9, training["edges"])) < 10


def test_every_answer_is_taken_once(windows: dict[str, Any]) -> None:
    """Threads add while another takes: nothing is lost, nothing counted twice."""
    window, taken = windows["Window"](), []

    def add(model: int) -> None:
        for number in range(2000):
            window.add(model, number)

    threads = [threading.Thread(target=add, args=(model,)) for model in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken.append(window.take())
    taken.append(window.take())
    for model in range(3):
        assert [n for one in taken for n in one.get(model, [])] == list(range(2000))
