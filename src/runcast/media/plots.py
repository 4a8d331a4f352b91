"""Confusion matrix and feature importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from runcast.media.arrays import flat_labels, numpy, to_array
from runcast.media.classes import MOST_CLASSES, distinct, names_of
from runcast.media.store import Store
from runcast.media.value import Draft, Unfit, Value
from runcast.normalize.problem import look, text_of, type_name

_MOST_FEATURES = 1000


class ConfusionMatrix(Value):
    """How many of each true class were taken for which.

    Args:
        y_true: N labels.
        y_pred: N predicted labels.
        labels: the classes and their order; what occurs, sorted, where left out.
        names: what to call the classes.
        matrix: ready counts instead: K×K, one row per true class.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("labels", "matrix", "names", "y_pred", "y_true")
    type: ClassVar[str] = "confusion_matrix"

    def __init__(
        self,
        y_true: Any = None,
        y_pred: Any = None,
        *,
        labels: Sequence[Any] | None = None,
        names: Sequence[str] | None = None,
        matrix: Any = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.y_true = y_true
        self.y_pred = y_pred
        self.labels = labels
        self.names = names
        self.matrix = matrix

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        if self.matrix is not None:
            return self._ready(store)
        if self.y_true is None or self.y_pred is None:
            raise Unfit("ConfusionMatrix needs y_true and y_pred, or a ready matrix")
        np = numpy()
        truth, guess = flat_labels(self.y_true, "y_true"), flat_labels(self.y_pred, "y_pred")
        if truth.ndim != 1 or guess.ndim != 1 or not len(truth):
            raise Unfit("y_true and y_pred are flat lists of labels, and not empty: take argmax of scores")
        if len(truth) != len(guess):
            raise Unfit(f"y_true has {len(truth)} labels and y_pred has {len(guess)}: they must be as many")
        classes = [*self.labels] if self.labels is not None else distinct(truth, guess)
        if len(classes) > MOST_CLASSES:
            raise Unfit(f"over {MOST_CLASSES} classes make no readable matrix")
        place = {label: number for number, label in enumerate(classes)}
        pairs = [
            (place[t], place[g])
            for t, g in zip(truth.tolist(), guess.tolist(), strict=True)
            if t in place and g in place
        ]
        if missing := len(truth) - len(pairs):
            store.report("rows whose label is not among labels=", f"{missing} of {len(truth)}")
        matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
        if pairs:
            np.add.at(matrix, tuple(np.asarray(pairs).T), 1)
        return Draft(self.type, {"labels": names_of(classes, self.names, store), "matrix": matrix.tolist()})

    def _ready(self, store: Store) -> Draft:
        np = numpy()
        matrix = to_array(self.matrix, "a K×K matrix of counts")
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
            raise Unfit("a confusion matrix has the shape K×K with at least one class")
        if len(matrix) > MOST_CLASSES:
            raise Unfit(f"over {MOST_CLASSES} classes make no readable matrix")
        if not np.isfinite(matrix).all() or matrix.min() < 0:
            raise Unfit("counts must be finite and not negative")
        given = self.labels if self.labels is not None else range(len(matrix))
        classes = [*given]
        if len(classes) != len(matrix):
            raise Unfit(f"a matrix of {len(matrix)} classes needs as many labels, not {len(classes)}")
        return Draft(self.type, {"labels": names_of(classes, self.names, store), "matrix": matrix.tolist()})


class FeatureImportance(Value):
    """How much each feature counts, the largest (by absolute value) first; at most 1000 are kept.

    Args:
        importance: name → value; a list of values (with `names`); or a fitted model of scikit-learn's kind,
            with ``feature_importances_`` or with ``coef_`` of one row.
        names: names of the features; of a fitted model they are its own where left out.
        errors: one per feature, such as the standard deviation; in the order of the values.
        caption: shown beside it.
        metadata: anything JSON-like.
    """

    __slots__ = ("errors", "importance", "names")
    type: ClassVar[str] = "feature_importance"

    def __init__(
        self,
        importance: Any,
        names: Sequence[str] | None = None,
        *,
        errors: Any = None,
        caption: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(caption=caption, metadata=metadata)
        self.importance = importance
        self.names = names
        self.errors = errors

    def draft(self, store: Store) -> Draft:
        """See `Value.draft`."""
        np = numpy()
        given, names = _values(self.importance), self.names
        if isinstance(given, Mapping):
            names = [*given] if names is None else names
            given = list(given.values())
        elif names is None:
            names = getattr(self.importance, "feature_names_in_", None)
            names = getattr(given, "index", None) if names is None and hasattr(given, "to_numpy") else names
        values = to_array(given, "values")
        values = values[0] if values.ndim == 2 and values.shape[0] == 1 else values
        if values.ndim != 1 or not len(values):
            raise Unfit("importance is a flat list with one value per feature, and not empty")
        titles = (
            [text_of(name) for name in names] if names is not None else [str(i) for i in range(len(values))]
        )
        if len(titles) != len(values):
            raise Unfit(f"{len(values)} values need as many names, not {len(titles)}")
        values = values.astype(np.float64)
        errors = (
            None if self.errors is None else to_array(self.errors, "errors").reshape(-1).astype(np.float64)
        )
        if errors is not None and len(errors) != len(values):
            store.report(f"the errors: {len(values)} values need as many, not {len(errors)}")
            errors = None
        finite = np.isfinite(values)
        if not finite.all():
            store.report("features whose importance is not finite", look(titles[int((~finite).argmax())]))
        order = [int(i) for i in np.argsort(-np.abs(values), kind="stable") if finite[i]]
        if not order:
            raise Unfit("no importance is finite")
        if len(order) > _MOST_FEATURES:
            store.report(f"features beyond the first {_MOST_FEATURES}", f"{len(order)} in all")
            order = order[:_MOST_FEATURES]
        data = {"names": [store.text(titles[i]) for i in order], "values": values[order].tolist()}
        if errors is not None:
            data["errors"] = np.nan_to_num(np.abs(errors[order]), posinf=0.0).tolist()
        return Draft(self.type, data)


def _values(importance: Any) -> Any:
    """The values that a fitted model has; anything else as it is."""
    if isinstance(importance, type):
        raise Unfit(f"{look(importance)} is a class: give a fitted model, or the values")
    for attribute in ("feature_importances_", "coef_"):
        if (found := getattr(importance, attribute, None)) is not None:
            return found
    if callable(getattr(importance, "predict", None)):
        raise Unfit(f"{type_name(importance)} has neither feature_importances_ nor coef_: is it fitted?")
    return importance
