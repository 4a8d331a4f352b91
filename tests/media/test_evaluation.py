"""Evaluation plots: the same numbers as scikit-learn, from labels in every form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import calibration, metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import runcast

from .reading import log, logged, lost

RNG = np.random.default_rng(7)
TRUTH = RNG.integers(0, 3, 400)
SCORES = RNG.dirichlet([1, 1, 1], 400)
BINARY, CHANCE = TRUTH == 1, SCORES[:, 1].round(2)


def test_a_roc_curve_is_that_of_scikit_learn(run: runcast.Run) -> None:
    """Every corner, every threshold, the area."""
    (one,) = log(run, runcast.RocCurve(BINARY, CHANCE)).data["classes"]
    fpr, tpr, thresholds = metrics.roc_curve(BINARY, CHANCE)

    assert one["label"] == "True"
    assert np.allclose(one["fpr"], fpr)
    assert np.allclose(one["tpr"], tpr)
    assert one["thresholds"][0] is None
    assert np.allclose(one["thresholds"][1:], thresholds[1:])
    assert one["auc"] == pytest.approx(metrics.roc_auc_score(BINARY, CHANCE))


def test_a_precision_recall_curve_is_that_of_scikit_learn(run: runcast.Run) -> None:
    """By falling threshold, with the counts behind each point."""
    (one,) = log(run, runcast.PrCurve(BINARY, CHANCE)).data["classes"]
    precision, recall, thresholds = metrics.precision_recall_curve(BINARY, CHANCE)

    assert np.allclose(one["precision"], precision[-2::-1])
    assert np.allclose(one["recall"], recall[-2::-1])
    assert np.allclose(one["thresholds"], thresholds[::-1])
    assert one["average_precision"] == pytest.approx(metrics.average_precision_score(BINARY, CHANCE))
    for threshold, *counts in zip(
        *(one[name] for name in ("thresholds", "tn", "fp", "fn", "tp")), strict=True
    ):
        assert counts == metrics.confusion_matrix(BINARY, threshold <= CHANCE).ravel().tolist()


def test_several_classes_have_a_curve_each(run: runcast.Run) -> None:
    """One against the rest, with the script's names; text labels too."""
    words = np.array(["cat", "dog", "fish"])[TRUTH]
    roc = log(run, runcast.RocCurve(words, torch.tensor(SCORES), names=["Cat", "Dog", "Fish"])).data[
        "classes"
    ]
    pr = log(run, runcast.PrCurve(list(words), SCORES.tolist())).data["classes"]

    assert [one["label"] for one in roc] == ["Cat", "Dog", "Fish"]
    assert [one["label"] for one in pr] == ["cat", "dog", "fish"]
    for k in range(3):
        assert roc[k]["auc"] == pytest.approx(metrics.roc_auc_score(k == TRUTH, SCORES[:, k]))
        expected = metrics.average_precision_score(k == TRUTH, SCORES[:, k])
        assert pr[k]["average_precision"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("truth", "scores"),
    [
        (BINARY.astype(int), CHANCE),
        (np.where(BINARY, 1, -1), CHANCE),
        (np.where(BINARY, "yes", "no"), CHANCE),
        (BINARY.astype(float), np.stack([1 - CHANCE, CHANCE], axis=1)),
        (torch.tensor(BINARY), torch.tensor(CHANCE).unsqueeze(1)),
    ],
)
def test_two_classes_in_every_spelling_are_one_curve(run: runcast.Run, truth: Any, scores: Any) -> None:
    """The greater label is the positive one; of two columns the second counts."""
    (one,) = log(run, runcast.RocCurve(truth, scores)).data["classes"]

    assert one["auc"] == pytest.approx(metrics.roc_auc_score(BINARY, CHANCE))


def test_several_labels_per_row_are_a_curve_each(run: runcast.Run) -> None:
    """Zeros and ones of the shape of the scores."""
    marks = np.stack([TRUTH == 0, TRUTH != 1], axis=1).astype(int)
    curves = log(run, runcast.RocCurve(marks, SCORES[:, :2])).data["classes"]

    assert [one["auc"] for one in curves] == pytest.approx(
        [metrics.roc_auc_score(marks[:, k], SCORES[:, k]) for k in range(2)]
    )


def test_a_class_that_never_occurs_is_told(run: runcast.Run) -> None:
    """The other curves are kept."""
    curves = log(run, runcast.RocCurve(BINARY.astype(int), SCORES)).data["classes"]

    assert [one["label"] for one in curves] == ["0", "1"]
    assert "no row belongs to it" in lost(run)[0].reason


def test_long_curves_are_thinned_without_moving_the_ends(run: runcast.Run) -> None:
    """At most 1000 points; the areas are those of the whole curve."""
    truth, scores = RNG.integers(0, 2, 50_000), RNG.random(50_000)
    (roc,) = log(run, runcast.RocCurve(truth, scores)).data["classes"]
    (pr,) = log(run, runcast.PrCurve(truth, scores)).data["classes"]

    assert len(roc["fpr"]) == len(pr["recall"]) == 1000
    assert (roc["fpr"][0], roc["tpr"][0], roc["fpr"][-1], roc["tpr"][-1]) == (0, 0, 1, 1)
    assert (pr["thresholds"][0], pr["recall"][-1]) == (scores.max(), 1)
    assert roc["auc"] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert pr["average_precision"] == pytest.approx(metrics.average_precision_score(truth, scores))


def test_a_confusion_matrix_is_that_of_scikit_learn(run: runcast.Run) -> None:
    """Of numbers and of text; with an order and names of the script's own."""
    guess = SCORES.argmax(axis=1)
    expected = metrics.confusion_matrix(TRUTH, guess).tolist()
    words = np.array(["c", "a", "b"])
    plain = log(run, runcast.ConfusionMatrix(TRUTH, torch.tensor(guess))).data
    ordered = log(run, runcast.ConfusionMatrix(words[TRUTH], words[guess], labels=["c", "a", "b"])).data
    ready = log(run, runcast.ConfusionMatrix(matrix=expected, names=["x", "y", "z"])).data

    assert plain == {"labels": ["0", "1", "2"], "matrix": expected}
    assert ordered == {"labels": ["c", "a", "b"], "matrix": expected}
    assert ready == {"labels": ["x", "y", "z"], "matrix": expected}


def test_calibration_is_that_of_scikit_learn(run: runcast.Run) -> None:
    """Means, frequencies and the Brier score; of several classes the confidence of the winner."""
    data = log(run, runcast.Calibration(BINARY, CHANCE, bins=7)).data
    several = log(run, runcast.Calibration(TRUTH, SCORES)).data
    observed, predicted = calibration.calibration_curve(BINARY, CHANCE, n_bins=7)
    top = calibration.calibration_curve(SCORES.argmax(axis=1) == TRUTH, SCORES.max(axis=1), n_bins=10)

    assert data["observed"] == pytest.approx(observed)
    assert data["predicted"] == pytest.approx(predicted)
    assert sum(data["counts"]) == 400
    assert data["brier"] == pytest.approx(metrics.brier_score_loss(BINARY, CHANCE))
    assert (several["observed"], several["predicted"]) == (pytest.approx(top[0]), pytest.approx(top[1]))


def test_ready_points_are_kept(run: runcast.Run) -> None:
    """From whatever computed them: its thresholds may be infinite."""
    fpr, tpr, thresholds = metrics.roc_curve(BINARY, CHANCE)
    points = {"label": "mine", "fpr": fpr, "tpr": tpr, "thresholds": thresholds, "auc": 0.5}
    (roc,) = log(run, runcast.RocCurve(classes=points)).data["classes"]
    bins = log(run, runcast.Calibration(predicted=[0.1], observed=[0.2], counts=[3])).data
    run.log({"bad": runcast.PrCurve(classes=[{"precision": [1.0]}])})

    assert roc == {
        "label": "mine", "fpr": fpr.tolist(), "tpr": tpr.tolist(),
        "thresholds": [None, *thresholds[1:].tolist()], "auc": 0.5,
    }  # fmt: skip
    assert bins == {"predicted": [0.1], "observed": [0.2], "counts": [3]}
    assert "precision, recall" in lost(run)[-1].reason


def test_feature_importance_comes_from_fitted_models(run: runcast.Run) -> None:
    """Trees by their importances, linear models by their weights, frames by the names of their columns."""
    import pandas as pd

    frame = pd.DataFrame(SCORES, columns=["a", "b", "c"])
    forest = RandomForestClassifier(5, random_state=0).fit(frame, BINARY)
    linear = LogisticRegression().fit(frame, BINARY)
    trees = log(run, runcast.FeatureImportance(forest)).data
    weights = log(run, runcast.FeatureImportance(linear)).data

    assert dict(zip(trees["names"], trees["values"], strict=True)) == pytest.approx(
        dict(zip("abc", forest.feature_importances_, strict=True))
    )
    assert trees["values"] == sorted(trees["values"], reverse=True)
    assert [abs(value) for value in weights["values"]] == sorted(np.abs(linear.coef_[0]), reverse=True)


def test_feature_importance_is_sorted_with_its_errors(run: runcast.Run) -> None:
    """By absolute value; what is not finite is left out and told."""
    record = log(run, runcast.FeatureImportance([0.1, -3.0, np.nan], ["a", "b", "c"], errors=[1, 2, 3]))

    assert record.data == {"names": ["b", "a"], "values": [-3.0, 0.1], "errors": [2.0, 1.0]}
    assert "not finite" in lost(run)[0].reason


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.floats(-1e300, 1e300) | st.sampled_from([0.0, -0.0, 1e-320, np.nan, np.inf])
        ),
        max_size=30,
    )
)
def test_any_scores_are_a_curve_or_a_clear_report(run: runcast.Run, pairs: list[tuple[bool, float]]) -> None:
    """Ties, subnormals, one class, nothing at all: rates rise from 0 to 1, or the cause is told."""
    before = len(logged(run))
    run.log({"roc": runcast.RocCurve([t for t, _ in pairs], [s for _, s in pairs])})

    truth = [t for t, _ in pairs]
    possible = len(set(truth)) == 2 and all(np.isfinite(s) for _, s in pairs)
    found = logged(run)[before:]
    assert len(found) == possible
    for record in found:
        (one,) = record.data["classes"]
        assert one["fpr"] == sorted(one["fpr"])
        assert one["tpr"] == sorted(one["tpr"])
        assert one["auc"] == pytest.approx(metrics.roc_auc_score(truth, [s for _, s in pairs]))
