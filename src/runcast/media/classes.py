"""Labels and scores as people have them, as one question of yes or no per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from runcast.media.arrays import flat_labels, numpy, to_array
from runcast.media.store import Store
from runcast.media.value import Unfit
from runcast.normalize.problem import look, text_of

MOST_CLASSES = 1000


class OneClass(NamedTuple):
    """One class against the rest: its name, who belongs to it (bools), and the scores."""

    label: str
    truth: Any
    scores: Any


def distinct(*arrays: Any) -> list[Any]:
    """Every label that occurs, sorted; of several kinds by their text.

    Raises:
        Unfit: there are over 1000.
    """
    found = {label for array in arrays for label in set(array.tolist())}
    if len(found) > MOST_CLASSES:
        raise Unfit(f"over {MOST_CLASSES} different labels: are these numbers instead of classes?")
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=lambda label: (type(label).__name__, text_of(label)))


def names_of(classes: Sequence[Any], given: Sequence[Any] | None, store: Store) -> list[str]:
    """Names to show: those that the script gives, else the labels as text.

    Raises:
        Unfit: the script gives another number of names.
    """
    names = [*classes] if given is None else [*given]
    if len(names) != len(classes):
        raise Unfit(f"{len(classes)} classes need as many names, not {len(names)}: {look(list(classes))}")
    return [store.text(name) for name in names]


def questions(y_true: Any, y_score: Any, labels: Any, names: Any, store: Store) -> list[OneClass]:
    """One class (the second) where there are two, else each against the rest.

    Args:
        y_true: N labels, or N×K zeros and ones.
        y_score: N scores of the second class, or N×K, one column per class.
        labels: the K labels in the order of the columns; sorted where left out.
        names: what to call the classes.
        store: takes the problems.

    Raises:
        Unfit: the two do not fit, or a score is not finite.
    """
    np = numpy()
    scores = to_array(y_score, "scores: N or N×K")
    scores = scores[:, 0] if scores.ndim == 2 and scores.shape[1] == 1 else scores
    truth = flat_labels(y_true, "y_true")
    if scores.ndim not in (1, 2) or truth.ndim not in (1, 2) or not truth.size:
        raise Unfit("y_true has the shape N or N×K, y_score too, and neither is empty")
    if len(truth) != len(scores):
        raise Unfit(f"y_true has {len(truth)} rows and y_score has {len(scores)}: they must be as many")
    if scores.dtype.kind == "b" or not np.isfinite(scores).all():
        raise Unfit("scores must be finite numbers: look for NaN in y_score")
    scores = scores.astype(np.float64)
    if truth.ndim == 2:
        return _of_columns(truth, scores, labels, names, store)
    classes = [*labels] if labels is not None else _classes(truth, scores)
    width = scores.shape[1] if scores.ndim == 2 else 2
    if len(classes) != width:
        raise Unfit(
            f"y_score speaks of {width} classes and there are {len(classes)}: {look(classes)}; give labels="
        )
    titles = names_of(classes, names, store)
    if unknown := set(truth.tolist()) - set(classes):
        raise Unfit(
            f"y_true has labels that are no class: {look(sorted(unknown, key=text_of))}; give labels="
        )
    if width == 2:
        column = scores if scores.ndim == 1 else scores[:, 1]
        return [OneClass(titles[1], truth == classes[1], column)]
    return [
        OneClass(title, truth == label, scores[:, k])
        for k, (label, title) in enumerate(zip(classes, titles, strict=True))
    ]


def _classes(truth: Any, scores: Any) -> list[Any]:
    """The labels behind the columns; numbers from 0 where some did not occur."""
    found = distinct(truth)
    width = scores.shape[1] if scores.ndim == 2 else 2
    if len(found) < width and all(
        type(x) in (int, bool) or (type(x) is float and x == int(x)) for x in found
    ):
        if all(0 <= label < width for label in found):
            return list(range(width))
        if found in ([-1], [1]):
            return [-1, 1]
    return found


def _of_columns(truth: Any, scores: Any, labels: Any, names: Any, store: Store) -> list[OneClass]:
    np = numpy()
    if truth.shape != scores.shape or not np.isin(truth, (0, 1)).all():
        raise Unfit("a y_true of two axes has zeros and ones, and the shape of y_score")
    width = truth.shape[1]
    titles = names_of([*labels] if labels is not None else list(range(width)), names, store)
    if len(titles) != width:
        raise Unfit(f"{width} columns need as many labels, not {len(titles)}")
    return [OneClass(titles[k], truth[:, k] == 1, scores[:, k]) for k in range(width)]
