"""The form that each type of media takes in TensorBoard; ``docs/tensorboard.md`` has the table.

Whatever a form cannot show is kept all the same: the event carries the record, and each file stands
in the event as it is or beside it (`runcast.backends.tensorboard.media.medium.kept`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runcast.backends.tensorboard.media import embeddings, numbers, pictures, plots, solids, words
from runcast.backends.tensorboard.media.medium import Medium

FORMS: Mapping[str, Callable[[Medium], None]] = {
    "text": words.text,
    "html": words.html,
    "table": words.table,
    "image": pictures.image,
    "figure": pictures.figure,
    "video": pictures.video,
    "audio": pictures.audio,
    "histogram": numbers.histogram,
    "pr_curve": numbers.pr_curve,
    "object3d": solids.object3d,
    "point_cloud": solids.point_cloud,
    "mesh": solids.mesh,
    "embedding": embeddings.embedding,
    "graph": solids.graph,
    "confusion_matrix": plots.confusion_matrix,
    "roc_curve": plots.roc_curve,
    "calibration": plots.calibration,
    "feature_importance": plots.feature_importance,
}
"""Type → what fills a `Medium`."""

# What code says of content that is not what it was said to be, and of a package that is missing.
_UNFIT = (
    ValueError, TypeError, AttributeError, LookupError, ArithmeticError, EOFError, RuntimeError, ImportError,
)  # fmt: skip


def present(medium: Medium) -> None:
    """Give a value its form; where that cannot be, its files and a word about why.

    Raises:
        Reject: a file is not among the journal's blobs.
        OSError: the run's folder cannot be written.
    """
    try:
        FORMS.get(medium.record.type, _unknown)(medium)
        if not (medium.values or medium.words or medium.graph):
            raise ValueError("there is nothing in it")
    except _UNFIT as error:
        _keep_only(medium, error)
    except OSError as error:  # without a number it speaks of an image's content, not of the disk
        if error.errno is not None:
            raise
        _keep_only(medium, error)
    if medium.record.caption is not None and not medium.graph and not medium.verbatim:
        medium.words.insert(0, medium.record.caption)


def _unknown(medium: Medium) -> None:
    raise ValueError(f"a medium of type {medium.record.type!r} has no form in TensorBoard")


def _keep_only(medium: Medium, error: Exception) -> None:
    medium.clear()
    reason = f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)
    if isinstance(error, ImportError):
        reason += "; pip install 'runcast[media]'"
    places = [medium.keep(file) for file in medium.record.contents]
    medium.degraded(f"not shown, only kept in the run's folder: {reason[:300]}")
    medium.words.append(f"{medium.record.type}, not shown: {reason[:300]}")
    medium.words += [f"`{place}`" for place in places]
