"""From a media value to its records."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import Any

from runcast.journal import Blobs
from runcast.media.figure import Figure
from runcast.media.image import Image
from runcast.media.store import Store
from runcast.media.value import FIGURE, FRAME, PICTURE, PLOTLY, Unfit, Value, known
from runcast.normalize import Problem, params
from runcast.normalize.problem import look, type_name
from runcast.records import Media
from runcast.redact import redact_tree


def record(
    key: str, value: Any, step: int, now: int, blobs: Blobs, secret: re.Pattern[str] | None = None
) -> tuple[list[Media], list[Problem]]:
    """The records of one value, whose files are then in the store; never raises.

    Args:
        key: the name it was logged under. The parts of a list get numbers: ``key/0``, ``key/1``, ...;
            images in a list stay together.
        value: what `runcast.media.is_media` said yes to.
        step: as of a metric.
        now: ns since 1970.
        blobs: where files go.
        secret: further names whose values are masked in metadata.

    Returns:
        The records, and a problem for everything that was lost or changed.
    """
    found: list[Media] = []
    problems: list[Problem] = []
    for name, one in _parts(key, value):
        store = Store(name, blobs, secret)
        try:
            with _own_arithmetic():
                found.append(_one(store, one, step, now))
        except Unfit as error:
            store.report(str(error), look(one), kept=False)
        except OSError as error:
            reason = f"its file cannot be written: {error.strerror or error}: make room"
            store.report(reason, look(one), kept=False)
        except Exception as error:  # a value may be anything, and training goes on
            store.report(f"reading it raised {type_name(error)}: {str(error)[:200]}", look(one), kept=False)
        problems += store.problems
    return found, problems


def _own_arithmetic() -> contextlib.AbstractContextManager[Any]:
    """What a script has NumPy do about overflow (``numpy.seterr``) is meant for the script's own numbers."""
    numpy = sys.modules.get("numpy")
    return numpy.errstate(all="ignore") if numpy is not None else contextlib.nullcontext()


def _parts(key: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, (list, tuple)):
        return [(key, value)]
    if all(isinstance(item, Image) or known(item) == PICTURE for item in value):
        return [(key, Image(list(value)))]
    return [(f"{key}/{number}", item) for number, item in enumerate(value)]


def _one(store: Store, value: Any, step: int, now: int) -> Media:
    value = value if isinstance(value, Value) else _wrapped(value)
    draft = value.draft(store)
    data = dict(draft.data)
    if value.metadata:
        plain, problems = params(value.metadata)
        for problem in problems:
            store.report(f"metadata {problem.key!r}: {problem.reason}", problem.detail)
        data["metadata"] = redact_tree(plain, store.secret_names)[0]
    caption = value.caption
    return Media(
        time=now,
        key=store.key,
        step=step,
        type=draft.type,
        text=draft.text,
        file=draft.files[0] if draft.files else None,
        caption=store.text(caption)
        if caption is not None and not isinstance(caption, (list, tuple))
        else None,
        files=list(draft.files[1:]),
        data=data,
    )


def _wrapped(value: Any) -> Value:
    """An object of another library as a value."""
    kind = known(value)
    if kind in (FIGURE, PLOTLY):
        return Figure(value)
    if kind == PICTURE:
        return Image(value)
    if kind == FRAME:
        raise Unfit(f"a {type_name(value)} is no number: log runcast.Table(...) of it")
    raise Unfit(f"{type_name(value)} is no media value")
