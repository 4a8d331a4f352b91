"""Evaluation plots and tables: the numbers that W&B's charts draw."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_delivery import Delivery, finished
from wandb_values import Values

from runcast.codec import pack

cells = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=5)
rows = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.lists(cells | st.lists(cells, max_size=2), min_size=width, max_size=width), max_size=4
    )
)
_steps = itertools.count()


def table(delivery: Delivery, key: str) -> list[dict[str, Any]]:
    """The rows of a table's file, as W&B's charts read it."""
    [value] = [row[key] for row in delivery.rows() if key in row]
    said = json.loads((delivery.folder / "files" / value["path"]).read_text(), parse_constant=str)
    return [dict(zip(said["columns"], row, strict=True)) for row in said["data"]]


def artifact(delivery: Delivery, name: str) -> dict[str, Any]:
    """The content of a table's artifact."""
    made = [
        r["artifact"] for r in delivery.inspect() if r["type"] == "artifact" and r["artifact"]["name"] == name
    ]
    return dict(json.loads(Path(made[-1]["manifest"]["contents"][0]["local_path"]).read_text()))


def test_precision_and_recall(delivery: Delivery) -> None:
    """Each point has its class, threshold and counts; the chart draws precision over recall."""
    curve = {
        "label": "cat", "precision": [1.0, 0.5], "recall": [0.5, 1.0], "thresholds": [0.9, 0.1],
        "average_precision": 0.75, "tp": [1, 2], "fp": [0, 2],
    }  # fmt: skip
    delivery.deliver([Values(delivery)("val/pr", 0, "pr_curve", data={"classes": [curve]}), finished()])
    first, second = table(delivery, "val/pr_table")
    assert first == {
        "class": "cat", "precision": 1.0, "recall": 0.5, "threshold": 0.9, "tp": 1, "fp": 0, "tn": None,
        "fn": None, "average_precision": 0.75,
    }  # fmt: skip
    assert (second["recall"], second["threshold"]) == (1.0, 0.1)
    charts = [r["config"]["update"]["_wandb"]["visualize"] for r in delivery.inspect() if _is_chart(r)]
    assert charts[0]["val/pr"]["panel_config"]["fieldSettings"] == {
        "x": "recall", "y": "precision", "class": "class",
    }  # fmt: skip


def _is_chart(record: dict[str, Any]) -> bool:
    return record["type"] == "config" and "visualize" in record["config"]["update"].get("_wandb", {})


def test_calibration(delivery: Delivery) -> None:
    """The bins, beside the diagonal of a perfect model."""
    data = {"predicted": [0.25, 0.75], "observed": [0.5, 1.0], "counts": [4, 6], "brier": 0.125}
    delivery.deliver([Values(delivery)("val/cal", 0, "calibration", data=data), finished()])
    points = [
        (row["model"], row["mean_predicted_value"], row["fraction_of_positives"], row["hist_dict"])
        for row in table(delivery, "val/cal")
    ]
    assert points == [
        ("Perfectly calibrated", 0, 0, 0), ("Perfectly calibrated", 1, 1, 0), ("cal", 0.25, 0.5, 4),
        ("cal", 0.75, 1.0, 6),
    ]  # fmt: skip


def test_a_long_curve_is_thinned(delivery: Delivery) -> None:
    """W&B's charts draw 10,000 points: the ends stay, and the rest is evenly spread and reported."""
    n = 30_000
    line = [i / (n - 1) for i in range(n)]
    curve = {"label": "a", "fpr": line, "tpr": line, "thresholds": line, "auc": 0.5}
    record = Values(delivery)("roc", 0, "roc_curve", data={"classes": [curve, {**curve, "label": "b"}]})
    [receipt] = delivery.deliver([record, finished()])
    points = table(delivery, "roc_table")
    assert len(points) == 10_000
    of_b = [row["fpr"] for row in points if row["class"] == "b"]
    assert (of_b[0], of_b[-1]) == (0.0, 1.0)
    assert max(b - a for a, b in itertools.pairwise(of_b)) < 8 / n
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "roc")]


def test_errors_of_importances(delivery: Delivery) -> None:
    """They are a column of their own; the caption, for which the chart has no slot, is kept."""
    data = {"names": ["x", "y"], "values": [2.0, 1.0], "errors": [0.5, 0.25]}
    [receipt] = delivery.deliver(
        [Values(delivery)("imp", 0, "feature_importance", data=data, caption="gain"), finished()]
    )
    assert table(delivery, "imp")[1] == {"feature_names": "y", "importances": 1.0, "errors": 0.25}
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "imp")]


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("confusion_matrix", {"labels": ["a"], "matrix": [[1, 2]]}),
        ("calibration", {"predicted": [0.1], "observed": [], "counts": [1]}),
        ("roc_curve", {"classes": [{"label": "a", "fpr": [0, 1], "tpr": [0]}]}),
        ("histogram", {"edges": [0, 1], "counts": [1, 2]}),
    ],
)
def test_numbers_that_do_not_fit_together(delivery: Delivery, type: str, data: dict[str, Any]) -> None:
    """They are kept as they were said, and the reason is told."""
    [receipt] = delivery.deliver([Values(delivery)("odd", 0, type, data=data), finished()])
    [row] = delivery.rows()
    assert json.loads(row["odd"])["data"] == data
    assert [(c.what, c.key) for c in receipt.changes] == [("degraded", "odd")]


def test_a_long_table(delivery: Delivery) -> None:
    """The chart's file has W&B's 10,000 rows, the artifact all of them."""
    content = {"columns": ["i"], "data": [[i] for i in range(10_001)]}
    record = Values(delivery)("t", 0, "table", ("t.table.json", json.dumps(content).encode()))
    delivery.deliver([record, finished()])
    assert len(table(delivery, "t")) == 10_000
    assert artifact(delivery, f"run-{delivery.started.run}-t")["data"] == content["data"]


def test_an_empty_table(delivery: Delivery) -> None:
    """Columns without rows, and no columns at all, are tables."""
    values = Values(delivery)
    for step, columns in enumerate((["a"], [])):
        raw = json.dumps({"columns": columns, "data": []}).encode()
        delivery.deliver([values(f"t{step}", step, "table", ("t.table.json", raw))])
    delivery.deliver([finished()])
    assert [table(delivery, key) for key in ("t0", "t1")] == [[], []]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows)
def test_wandb_reads_any_table(delivery: Delivery, data: list[list[Any]]) -> None:
    """W&B's own class takes the column types, and finds each cell; NaN is null there."""
    import wandb

    step = next(_steps)
    columns = [f"c{i}" for i in range(len(data[0]) if data else 1)]
    raw = json.dumps({"columns": columns, "data": pack(data)}).encode()
    delivery.deliver([Values(delivery)(f"any{step}", step, "table", ("t.table.json", raw))])
    delivery.deliver([finished()])
    said = artifact(delivery, f"run-{delivery.started.run}-any{step}")
    read = wandb.Table.from_json(said, wandb.Artifact("x", "run_table"))
    assert read.columns == columns
    assert repr(read.data) == repr([[_plain(cell) for cell in row] for row in data])


def _plain(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_plain(inner) for inner in cell]
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return cell if not isinstance(cell, float) or math.isfinite(cell) else f"{'-' * (cell < 0)}Infinity"
