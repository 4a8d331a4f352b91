"""Why a run did not come out the same: each difference that was recorded is named, the likeliest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runcast.records import Input, RunStarted
from runcast.reproduce.causes import causes
from runcast.reproduce.data import Checked
from runcast.reproduce.past import Past

SAME: dict[str, Any] = {
    "git": {"commit": "c" * 40, "dirty": False},
    "gpus": [{"name": "A100"}],
    "packages": {"numpy": "2.0", "torch": "2.13.0", "rich": "14.0"},
    "python": {"version": "3.11.7"},
    "cpu": {"model": "EPYC", "usable_threads": 8},
    "cuda": {"driver": "550", "version": "12.4"},
    "seeds": {"seed": 3},
}


def past(**values: Any) -> Past:
    """A run in the surroundings above, but for these."""
    made = Past(Path("/nowhere"), RunStarted(time=1, run="r", experiment="e", name="n"))
    made.values, made.seeds = {**SAME, **values}, [3]
    made.inputs = [Input(time=1, name="rows", type="dataset", digest="a" * 64)]
    return made


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        ({"gpus": [{"name": "H200"}]}, "another GPU: A100 → H200"),
        ({"gpus": []}, "another GPU: A100 → none"),
        ({"packages": {"numpy": "2.0", "rich": "14.0"}}, "missing packages: torch 2.13.0"),
        (
            {"packages": {"numpy": "2.1", "torch": "2.13.0", "rich": "15.0"}},
            "other versions: numpy 2.0 → 2.1, rich 14.0 → 15.0",
        ),
        ({"packages": {}}, "perhaps other packages: they were not recorded"),
        ({"python": {"version": "3.12.1"}}, "another Python: 3.11.7 → 3.12.1"),
        ({"cpu": {"model": "Xeon", "usable_threads": 8}}, "another processor: EPYC → Xeon"),
        ({"cpu": {"model": "EPYC", "usable_threads": 2}}, "another thread count: 8 → 2"),
        ({"cuda": {"driver": "560", "version": "12.4"}}, "another GPU driver: 550 → 560"),
        ({"seeds": {"seed": 3, "left_to_chance": ["TensorFlow"]}}, "left to chance: TensorFlow"),
    ],
)
def test_one_difference_is_one_cause(values: dict[str, Any], cause: str) -> None:
    """What differs is named with both values, and nothing else is."""
    assert causes(past(), past(**values), []) == [cause]


def test_several_are_in_order() -> None:
    """Params before seeds, data, code, devices, packages."""
    now = past(gpus=[], packages={"numpy": "2.0"}, git={"commit": "d" * 40, "dirty": False})
    now.params, now.seeds = {"lr": 0.2}, [4]
    changed = [Checked("rows", "changed", Path("rows.csv"), "aaaa → bbbb")]
    beginnings = [cause.split(":")[0] for cause in causes(past(), now, changed)]
    assert beginnings == [
        "other params", "another seed", "changed data", "another commit", "another GPU", "missing packages"
    ]  # fmt: skip


def test_nothing_that_was_recorded_differs() -> None:
    """Then it says what is left, instead of nothing."""
    (cause,) = causes(past(), past(), [])
    assert cause.startswith("nothing that was recorded differs")
