"""Curves and scores of classifiers, from labels and scores, with NumPy alone.

Sources. ROC and its area: T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27
(2006). Precision, recall, and average precision as the sum of precisions weighted by the gain in recall:
C. Manning et al., "Introduction to Information Retrieval" (2008), 8.4. Calibration: A. Niculescu-Mizil and
R. Caruana, "Predicting good probabilities with supervised learning" (2005); of several classes the confidence
of the predicted one, as in C. Guo et al., "On calibration of modern neural networks" (2017). Brier score:
G. Brier, "Verification of forecasts expressed in terms of probability" (1950).
"""

from __future__ import annotations

from typing import Any

from runcast.media.arrays import numpy

MOST_POINTS = 1000
"""Points of a curve that are kept."""


def roc(truth: Any, scores: Any) -> dict[str, Any]:
    """False and true positive rate at each threshold, and the area under them, taken before thinning.

    Args:
        truth: bools, of which some are true and some are not.
        scores: finite; higher for what is more likely true.

    Returns:
        ``fpr``, ``tpr``, ``thresholds`` (falling; None for the first point, above all scores), ``auc``.
    """
    np = numpy()
    thresholds, tp, fp = _counts(np, truth, scores)
    tp, fp = np.r_[0, tp], np.r_[0, fp]
    tpr, fpr = tp / tp[-1], fp / fp[-1]
    area = float(((tpr[1:] + tpr[:-1]) / 2 * np.diff(fpr)).sum())
    keep = thinned(_corners(np, fp, tp))
    return {
        "fpr": fpr[keep].tolist(),
        "tpr": tpr[keep].tolist(),
        "thresholds": [None if place == 0 else float(thresholds[place - 1]) for place in keep.tolist()],
        "auc": area,
    }


def precision_recall(truth: Any, scores: Any) -> dict[str, Any]:
    """Precision and recall at each threshold with the counts behind them, and the average precision.

    Args:
        truth, scores: as of `roc`; none needs to be false.
    """
    np = numpy()
    thresholds, tp, fp = _counts(np, truth, scores)
    positives, negatives = int(tp[-1]), int(fp[-1])
    precision, recall = tp / (tp + fp), tp / positives
    average = float((np.diff(recall, prepend=0.0) * precision).sum())
    keep = thinned(np.arange(len(thresholds)))
    tp, fp = tp[keep], fp[keep]
    return {
        "precision": precision[keep].tolist(),
        "recall": recall[keep].tolist(),
        "thresholds": thresholds[keep].tolist(),
        "tp": tp.tolist(),
        "fp": fp.tolist(),
        "tn": (negatives - fp).tolist(),
        "fn": (positives - tp).tolist(),
        "average_precision": average,
    }


def reliability(truth: Any, predicted: Any, bins: int) -> dict[str, Any]:
    """Observed frequency over mean prediction in bins of equal width; empty bins are left out.

    Args:
        truth: bools.
        predicted: probabilities in [0, 1].
        bins: how many.
    """
    np = numpy()
    place = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    mean = np.bincount(place, weights=predicted, minlength=bins)[filled] / counts[filled]
    observed = np.bincount(place, weights=truth.astype(np.float64), minlength=bins)[filled] / counts[filled]
    return {
        "predicted": mean.tolist(),
        "observed": observed.tolist(),
        "counts": counts[filled].tolist(),
        "brier": float(((predicted - truth) ** 2).mean()),
    }


def thinned(places: Any, most: int = MOST_POINTS) -> Any:
    """At most so many of the places, evenly, the first and the last always."""
    np = numpy()
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).round().astype(np.int64)]


def _counts(np: Any, truth: Any, scores: Any) -> tuple[Any, Any, Any]:
    """(distinct scores, falling; how many true and how many false ones reach each)."""
    order = np.argsort(-scores, kind="stable")
    truth, scores = truth[order], scores[order]
    last = np.r_[np.flatnonzero(np.diff(scores)), len(scores) - 1]  # of each run of equal scores
    tp = np.cumsum(truth, dtype=np.int64)[last]
    return scores[last], tp, last + 1 - tp


def _corners(np: Any, x: Any, y: Any) -> Any:
    """Places without which the polyline of whole numbers would be another one."""
    if len(x) <= 2:
        return np.arange(len(x))
    bends = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
    return np.r_[0, np.flatnonzero(bends) + 1, len(x) - 1]
