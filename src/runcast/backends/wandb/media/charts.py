"""Evaluation plots as W&B's custom charts: a table, and in the config the chart that draws it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runcast.backends.wandb import spelling
from runcast.backends.wandb.media import tables
from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject

_Rows = list[list[Any]]
_ROC = {"x": "fpr", "y": "tpr", "class": "class"}
_PR = {"x": "recall", "y": "precision", "class": "class"}


def confusion_matrix(place: Place) -> dict[str, Any]:
    """``wandb/confusion_matrix/v1``."""
    labels, matrix = place.record.data["labels"], place.record.data["matrix"]
    if len(matrix) != len(labels) or any(len(row) != len(labels) for row in matrix):
        raise Reject(f"a confusion matrix of {len(labels)} labels must be square")
    columns = ["Actual", "Predicted", "nPredictions"]
    rows = [
        [a, p, n]
        for a, counts in zip(labels, matrix, strict=True)
        for p, n in zip(labels, counts, strict=True)
    ]
    fields = {name: name for name in columns}
    return _plot(place, "confusion_matrix/v1", fields, {"title": "Confusion Matrix"}, columns, rows)


def roc_curve(place: Place) -> dict[str, Any]:
    """``wandb/area-under-curve/v0``."""
    titles = {
        "title": "ROC Curve",
        "x-axis-title": "False positive rate",
        "y-axis-title": "True positive rate",
    }
    names = ("fpr", "tpr", "thresholds")
    return _curves(place, names, ["class", "fpr", "tpr", "threshold", "auc"], "auc", _ROC, titles)


def pr_curve(place: Place) -> dict[str, Any]:
    """``wandb/area-under-curve/v0``."""
    titles = {"title": "Precision-Recall Curve", "x-axis-title": "Recall", "y-axis-title": "Precision"}
    names = ("precision", "recall", "thresholds", "tp", "fp", "tn", "fn")
    columns = ["class", "precision", "recall", "threshold", "tp", "fp", "tn", "fn", "average_precision"]
    return _curves(place, names, columns, "average_precision", _PR, titles)


def calibration(place: Place) -> dict[str, Any]:
    """``wandb/calibration/v1``, with the diagonal that a perfect model would be."""
    data = place.record.data
    columns = ["model", "fraction_of_positives", "mean_predicted_value", "hist_dict", "edge_dict", "brier"]
    ideal = [["Perfectly calibrated", end, end, 0, 0, None] for end in (0, 1)]
    bins = zip(data["observed"], data["predicted"], data["counts"], strict=True)
    name = place.record.key.rpartition("/")[2]
    own = [[name, observed, predicted, n, predicted, data.get("brier")] for observed, predicted, n in bins]
    return _preset(place, "calibration/v1", columns, ideal + own)


def feature_importance(place: Place) -> dict[str, Any]:
    """``wandb/feature_importances/v1``."""
    data = place.record.data
    columns = ["feature_names", "importances"]
    parts = [data["names"], data["values"]]
    if data.get("errors"):
        columns.append("errors")
        parts.append(data["errors"])
    return _preset(place, "feature_importances/v1", columns, [list(row) for row in zip(*parts, strict=True)])


def _curves(
    place: Place, names: Iterable[str], columns: list[str], area: str, fields: Any, titles: dict[str, str]
) -> dict[str, Any]:
    curves = [(one, [one.get(name) for name in names]) for one in place.record.data["classes"]]
    rows: _Rows = []
    for one, parts in curves:
        length = len(parts[0])
        cells = [part if part else [None] * length for part in parts]
        points = list(zip(*cells, strict=True))
        rows += [[one["label"], *points[i], one.get(area)] for i in _even(length, len(curves))]
    whole = sum(len(parts[0]) for _, parts in curves)
    if len(rows) < whole:
        place.lesser(f"{len(rows)} of {whole} points: W&B's charts draw at most {tables.SHOWN_ROWS}")
    return _plot(place, "area-under-curve/v0", fields, titles, columns, rows)


def _even(length: int, curves: int) -> list[int]:
    """Numbers of the points to draw, evenly spread, the first and the last among them."""
    most = max(2, tables.SHOWN_ROWS // max(curves, 1))
    if length <= most:
        return list(range(length))
    return [i * (length - 1) // (most - 1) for i in range(most)]


def _plot(
    place: Place, preset: str, fields: Any, texts: dict[str, str], columns: list[str], rows: _Rows
) -> dict[str, Any]:
    """A chart as ``wandb.plot`` makes it: the table stands at the name with ``_table`` behind it."""
    key = f"{place.key}_table"
    if place.record.caption is not None:
        texts = {**texts, "title": spelling.prose(place.record.caption)}
    table_of_run = {
        "name": "summaryTable", "args": [{"name": "tableKey", "value": key}], "fields": [],
    }  # fmt: skip
    shown: list[dict[str, Any]] = [
        {"name": name, "fields": []} for name in ("id", "name", "_defaultColorIndex")
    ]
    query = {
        "name": "runSets", "args": [{"name": "runSets", "value": "${runSets}"}],
        "fields": [*shown, table_of_run],
    }  # fmt: skip
    chart = {
        "panel_type": "Vega2",
        "panel_config": {
            "panelDefId": f"wandb/{preset}", "fieldSettings": fields, "stringSettings": texts,
            "transform": {"name": "tableWithLeafColNames"}, "userQuery": {"queryFields": [query]},
        },
    }  # fmt: skip
    place.configure({"visualize": {place.key: chart}})
    return {key: tables.value(place, columns, rows, key=key)}


def _preset(place: Place, preset: str, columns: list[str], rows: _Rows) -> dict[str, Any]:
    """A chart as ``wandb.visualize`` makes it: the table stands at the name itself."""
    settings = {"x-axis": "_step", "key": place.key}
    place.configure({"viz": {place.key: {"id": f"wandb/{preset}", "historyFieldSettings": settings}}})
    place.caption_aside()
    return tables.value(place, columns, rows)
