"""Curves that judge a classifier's scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from runcast.media.arrays import numpy, to_array
from runcast.media.classes import OneClass, questions
from runcast.media.formulas import precision_recall, reliability, roc, thinned
from runcast.media.store import Store
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize import step as whole_number
from runcast.normalize.problem import look


class _Curve(Value):
    """What ROC and precision-recall curves share: labels and scores, or ready points."""

    __slots__ = ("classes", "labels", "names", "y_score", "y_true")
    _lists: ClassVar[tuple[str, ...]]
    _optional: ClassVar[tuple[str, ...]]
    _score: ClassVar[str]

    def __init__(
        self,
        y_true: Any = None,
        y_score: Any = None,
        *,
        labels: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        classes: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.y_true = y_true
        self.y_score = y_score
        self.labels = labels
        self.names = names
        self.classes = classes

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        if self.classes is not None:
            return Draft(self.type, {"classes": self._ready(store)})
        if self.y_true is None or self.y_score is None:
            raise Unfit(f"{type(self).__name__} needs y_true and y_score, or classes with ready points")
        curves = []
        for one in questions(self.y_true, self.y_score, self.labels, self.names, store):
            if why := self._undefined(one):
                store.report(f"the curve of class {look(one.label)}: {why}")
            else:
                curves.append({"label": one.label, **self._formula()(one.truth, one.scores)})
        if not curves:
            raise Unfit("no class has a curve: y_true needs members of both kinds")
        return Draft(self.type, {"classes": curves})

    def _formula(self) -> Callable[[Any, Any], dict[str, Any]]:
        raise NotImplementedError

    def _undefined(self, one: OneClass) -> str:
        """Why a class has no curve; "" where it has one."""
        return "" if one.truth.any() else "no row belongs to it"

    def _ready(self, store: Store) -> list[dict[str, Any]]:
        given = [self.classes] if isinstance(self.classes, Mapping) else [*(self.classes or ())]
        if not given:
            raise Unfit("classes is empty: give at least one curve")
        return [self._one(curve, number, store) for number, curve in enumerate(given)]

    def _one(self, curve: Mapping[str, Any], number: int, store: Store) -> dict[str, Any]:
        np = numpy()
        out: dict[str, Any] = {"label": store.text(curve.get("label", number))}
        lists: dict[str, Any] = {}
        for name in (*self._lists, *self._optional):
            if curve.get(name) is None:
                if name in self._lists:
                    raise Unfit(f"ready points need the lists {', '.join(self._lists)}")
                continue
            array = to_array(curve[name], f"the list {name}").reshape(-1)
            if not np.isfinite(array).all() and name != "thresholds":
                raise Unfit(f"the list {name} must be finite")
            lists[name] = array
        count = len(lists[self._lists[0]])
        if not count or any(len(array) != count for array in lists.values()):
            raise Unfit("the lists of a curve must be as long as each other, and not empty")
        keep = thinned(np.arange(count))
        for name, array in lists.items():
            out[name] = [x if np.isfinite(x) else None for x in array[keep].tolist()]
        out.setdefault("thresholds", [None] * len(keep))
        if curve.get(self._score) is not None:
            out[self._score] = float(curve[self._score])
        return out


class RocCurve(_Curve):
    """True over false positive rate at every threshold; at most 1000 points are kept, the ends always.

    Args:
        y_true: N labels, or N×K zeros and ones.
        y_score: N scores of the second class, or N×K: one column per class, one curve per class.
        labels: the labels in the order of the columns; sorted where left out.
        names: what to call the classes.
        classes: ready points instead: one mapping per curve, or one alone, with a ``label`` and the lists
            ``fpr`` and ``tpr``; optional are ``thresholds`` and ``auc``.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ()
    type: ClassVar[str] = "roc_curve"
    _lists = ("fpr", "tpr")
    _optional = ("thresholds",)
    _score = "auc"

    def _formula(self) -> Callable[[Any, Any], dict[str, Any]]:
        return roc

    def _undefined(self, one: OneClass) -> str:
        return super()._undefined(one) or ("every row belongs to it" if one.truth.all() else "")


class PrCurve(_Curve):
    """Precision over recall by falling threshold; at most 1000 points are kept, the ends always.

    Args:
        y_true: N labels, or N×K zeros and ones.
        y_score: N scores of the second class, or N×K: one column per class, one curve per class.
        labels: the labels in the order of the columns; sorted where left out.
        names: what to call the classes.
        classes: ready points instead: one mapping per curve, or one alone, with a ``label`` and the lists
            ``precision`` and ``recall``; optional are ``thresholds``, ``tp``, ``fp``, ``tn``, ``fn`` and
            ``average_precision``.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ()
    type: ClassVar[str] = "pr_curve"
    _lists = ("precision", "recall")
    _optional = ("thresholds", "tp", "fp", "tn", "fn")
    _score = "average_precision"

    def _formula(self) -> Callable[[Any, Any], dict[str, Any]]:
        return precision_recall


class Calibration(Value):
    """How often what was predicted with a probability came true.

    Args:
        y_true: N labels.
        y_prob: N probabilities of the second class, or N×K, one column per class. Of more than two classes
            the highest probability is compared with how often that class was right.
        bins: of equal width in [0, 1], up to 1000; empty ones are left out.
        labels: the labels in the order of the columns; sorted where left out.
        predicted, observed, counts: ready points instead, per bin: mean prediction, frequency, number.
        brier: the Brier score of ready points.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("bins", "brier", "labels", "ready", "y_prob", "y_true")
    type: ClassVar[str] = "calibration"

    def __init__(
        self,
        y_true: Any = None,
        y_prob: Any = None,
        *,
        bins: int = 10,
        labels: Sequence[Any] | None = None,
        predicted: Any = None,
        observed: Any = None,
        counts: Any = None,
        brier: float | None = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.y_true = y_true
        self.y_prob = y_prob
        self.bins = bins
        self.labels = labels
        self.ready = (predicted, observed, counts)
        self.brier = brier

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        np = numpy()
        if any(points is not None for points in self.ready):
            return self._ready()
        if self.y_true is None or self.y_prob is None:
            raise Unfit("Calibration needs y_true and y_prob, or predicted, observed and counts")
        bins = whole_number(self.bins)
        if not isinstance(bins, int) or not 1 <= bins <= 1000:
            raise Unfit(f"bins is a whole number from 1 to 1000, not {self.bins!r}")
        asked = questions(self.y_true, self.y_prob, self.labels, None, store)
        truth, predicted = asked[0].truth, asked[0].scores
        if len(asked) > 1:
            table = np.stack([one.scores for one in asked], axis=1)
            best = table.argmax(axis=1)
            rows = np.arange(len(best))
            predicted = table[rows, best]
            truth = np.stack([one.truth for one in asked], axis=1)[rows, best]
        if predicted.min() < 0 or predicted.max() > 1:
            raise Unfit("probabilities lie in [0, 1]: apply a sigmoid or softmax first")
        return Draft(self.type, reliability(truth, predicted, bins))

    def _ready(self) -> Draft:
        np = numpy()
        if any(points is None for points in self.ready):
            raise Unfit("ready points need predicted, observed and counts")
        predicted, observed, counts = (to_array(points, "points").reshape(-1) for points in self.ready)
        if not len(predicted) == len(observed) == len(counts) > 0:
            raise Unfit("predicted, observed and counts must be as long as each other, and not empty")
        if not all(np.isfinite(points).all() for points in (predicted, observed, counts)):
            raise Unfit("predicted, observed and counts must be finite")
        data: dict[str, Any] = {
            "predicted": predicted.astype(float).tolist(),
            "observed": observed.astype(float).tolist(),
            "counts": counts.astype(int).tolist(),
        }
        return Draft(self.type, data if self.brier is None else data | {"brier": float(self.brier)})
