"""The loss contract: what a run uses, held against what a destination declares."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runcast.cli.app import build
from runcast.migrate import prepare
from runcast.migrate.contract import plan
from runcast.migrate.features import MEDIA, Features
from runcast.plugins.capabilities import Capabilities
from runcast.records import KINDS, Lost, Media, Metrics, Params, Record

from .toy import Toy, a_run


def uses(*records: Record) -> set[str]:
    """Features that some records use."""
    features = Features()
    for record in records:
        features.take(record)
    return {feature for feature, count in features.uses.items() if count}


def test_every_kind_and_media_type_has_its_feature() -> None:
    """No record passes uncounted, and every feature that is counted is one that backends declare."""
    from runcast.migrate import features

    known = {*features.Features()._methods, *features._WHOLE, Lost}
    assert known == set(KINDS)
    assert set(MEDIA.values()) | set(features._WHOLE.values()) <= set(Capabilities.model_fields)


@pytest.mark.parametrize(
    ("value", "feature"),
    [
        (0.1, "float64"),
        (0.5, ""),
        (2**53, ""),
        (2**53 + 1, "int64"),
        (True, "int64"),
        (math.nan, "nonfinite"),
    ],
)
def test_values_are_told_by_what_they_take(value: float, feature: str) -> None:
    """A float that 32 bits hold is no 64-bit one."""
    found = uses(Metrics(time=1, step=0, values={"x": value})) - {"metrics", "metric_times"}
    assert found == ({feature} if feature else set())


def test_steps_that_do_not_grow_are_seen() -> None:
    """Per metric: another metric at the same step is nothing unusual."""
    rows = [Metrics(time=1, step=step, values={name: 1.0}) for name, step in (("a", 1), ("b", 1), ("a", 2))]
    assert "any_step" not in uses(*rows)
    assert "any_step" in uses(*rows, rows[-1])


def test_a_plan_writes_nothing_and_names_what_changes(toy: Toy, tmp_path: Path) -> None:
    """Each feature that the destination only maps comes with its own words; no file appears."""
    image = Media(time=1_700_000_000_000_000_020, key="i", step=0, type="video", data={})
    toy.runs_ = {"a": [*a_run()[:-1], image, a_run()[-1]], "b": a_run()}
    toy.breaks = {"b": 3}
    first, second = plan(prepare("toy:shelf", "tensorboard:./tb"))
    assert {less.feature for less in first.less} >= {"video", "typed_params", "tags"}
    assert all(less.note for less in first.less)
    assert not first.loses
    assert (second.state, second.problem) == ("unreadable", "run b broke")
    assert not list(tmp_path.iterdir())


def test_strict_tells_by_its_exit_code(toy: Toy) -> None:
    """0 where things are kept in another form; 1 when that is asked about, or something is lost."""
    toy.runs_ = {"a": a_run()}
    call = ["plan", "toy:shelf", "tensorboard:./tb", "--json"]

    def code(*more: str) -> int:
        return CliRunner().invoke(build("plan"), [*call, *more]).exit_code

    assert (code(), code("--strict"), code("--strict-mapped")) == (0, 0, 1)
    toy.runs_["a"].insert(3, Lost(time=5, key="gone.bin", reason="its file is gone"))
    assert (code(), code("--strict")) == (0, 1)
    result = CliRunner().invoke(build("plan"), call)
    assert json.loads(result.stdout)[0]["lost"] == ["gone.bin: its file is gone"]


def test_a_dry_run_is_a_plan(toy: Toy, tmp_path: Path) -> None:
    """The same words, and nothing written."""
    toy.runs_ = {"a": [*a_run()[:2], Params(time=3, values={"x": "y" * 300}), *a_run()[2:]]}
    dry = CliRunner().invoke(build("migrate"), ["migrate", "toy:shelf", "tensorboard:./tb", "--dry-run"])
    planned = CliRunner().invoke(build("plan"), ["plan", "toy:shelf", "tensorboard:./tb"])
    assert dry.stdout == planned.stdout
    assert "long_values" in dry.stdout
    assert not (tmp_path / "tb").exists()
