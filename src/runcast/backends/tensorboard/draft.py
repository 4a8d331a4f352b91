"""What one batch adds to a run: made whole in memory first, so that a refused batch changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from runcast.backends.tensorboard import shown
from runcast.backends.tensorboard.artifacts import place
from runcast.backends.tensorboard.facts import Facts
from runcast.errors import Reject
from runcast.formats.tfevents import ScalarEncoder, event, frame, text_value
from runcast.plugins import Change, OpenRun
from runcast.records import (
    Artifact,
    Lost,
    Media,
    Metrics,
    Note,
    Params,
    Record,
    RunFinished,
    RunStarted,
    Scalar,
    Tags,
    kind,
)

_INT32 = 1 << 31


class Draft:
    """Takes records in order, and holds what they come to.

    Attributes:
        events: frames to append.
        facts: what is known of the run with these records; the object given where none changed it.
        steps: tag → its last step.
        back: tags that have gone back or stood still; told once each.
        changes: for the receipt.
        ended: whether a process finished.
    """

    def __init__(
        self,
        run: OpenRun,
        root: Path,
        encoder: ScalarEncoder,
        facts: Facts,
        steps: dict[str, int],
        back: set[str],
    ) -> None:
        self.events: list[bytes] = []
        self.facts = facts
        self.steps = dict(steps)
        self.back = set(back)
        self.changes: list[Change] = []
        self.ended = False
        self._run, self._root, self._encoder, self._before = run, root, encoder, facts
        self._tags: dict[str, str] = {}

    def add(self, batch: Sequence[Record]) -> None:
        """Take records.

        Raises:
            Reject: one of them can never be written.
        """
        for record in batch:
            try:
                _HANDLERS.get(type(record), Draft._unknown)(self, record)
            except OverflowError as error:
                mend = "log it with a step and a time between -2**63 and 2**63 - 1"
                raise Reject(f"tensorboard: {_named(record)}: {error}; {mend}") from None
            except (TypeError, ValueError, RecursionError) as error:
                raise Reject(f"tensorboard: {_named(record)} is not JSON-like: {error}") from None

    @property
    def changed(self) -> bool:
        """Whether the facts are not what they were."""
        return self.facts is not self._before

    def _edit(self) -> Facts:
        if not self.changed:
            self.facts = self._before.copy()
        return self.facts

    def _tag(self, key: str, suffix: str = "") -> str:
        """The legal tag of a key, remembered in the facts where it is another."""
        tag = shown.tag(key) + suffix
        if tag != key + suffix and tag not in self.facts.keys:
            self._edit().keys[tag] = key
            self.changes.append(Change("renamed", key, tag))
        return tag

    def _metrics(self, record: Metrics) -> None:
        step, steps, tags = record.step, self.steps, self._tags
        values: dict[str, Scalar] = {}
        for key, value in record.values.items():
            tag = tags.get(key)
            if tag is None:
                tag = tags[key] = self._tag(key)
            if tag in steps and step <= steps[tag] and tag not in self.back:
                self._report_back(tag, key, step)
            steps[tag] = step
            values[tag] = value
        overflowed: list[str] = []
        self.events.append(frame(self._encoder.event(record.time, step, values, overflowed)))
        if not -_INT32 <= step < _INT32 and not self.facts.wide_steps:
            self._leave_hparams(record)
        for tag in overflowed:
            detail = "beyond float32: TensorBoard shows infinity; the file keeps the number"
            self.changes.append(Change("degraded", self.facts.keys.get(tag, tag), detail))

    def _leave_hparams(self, record: Metrics) -> None:
        """One such step makes TensorBoard's HParams dashboard fail for every run of the logdir."""
        detail = (
            f"step {record.step} is beyond int32, on which TensorBoard's HParams dashboard fails: "
            "the run is left out of it, and its params are shown as text"
        )
        self.changes.append(Change("degraded", next(iter(record.values), ""), detail))
        self._edit().wide_steps = True
        self._params_text(record.time)

    def _params_text(self, time: int) -> None:
        params = {name: str(value) for name, value in shown.hparams(self.facts.params)[0].items()}
        self._text(time, 0, shown.PARAMS_TAG, shown.table("param", params))

    def _report_back(self, tag: str, key: str, step: int) -> None:
        self.back.add(tag)
        detail = (
            f"step {_spelled(step)} came after step {self.steps[tag]}: the file keeps every point, "
            "TensorBoard's default data server drops the earlier ones from there on"
        )
        self.changes.append(Change("degraded", key, detail))

    def _text(self, time: int, step: int, tag: str, text: str, caption: str | None = None) -> None:
        self.events.append(frame(event(time, step, text_value(tag, text, caption))))

    def _media(self, record: Media) -> None:
        text = record.text
        if record.type != "text":
            reason = f"a medium of type {record.type!r} has no place in TensorBoard yet"
            self.changes.append(Change("skipped", record.key, reason))
            return
        if text is None:
            text = self._text_of_blob(record)
        tag = self._tag(record.key, shown.TEXT_SUFFIX)
        if tag in self.steps and record.step <= self.steps[tag] and tag not in self.back:
            self._report_back(tag, record.key, record.step)
        self._text(record.time, record.step, tag, text, record.caption)
        self.steps[tag] = record.step

    def _text_of_blob(self, record: Media) -> str:
        if record.file is None:
            return ""
        try:
            return self._run.blob(record.file).read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            raise Reject(
                f"tensorboard: text {record.key!r}: its content is not in the journal's blobs; log it again"
            ) from None

    def _params(self, record: Params) -> None:
        for key in self._edit().add_params(record):
            detail = "logged again with another value: the last one is kept"
            self.changes.append(Change("degraded", key, detail))
        self.changes += shown.hparams(record.values)[1]
        if self.facts.wide_steps:
            self._params_text(record.time)

    def _labels(self, record: Tags) -> None:
        facts = self._edit()
        facts.tags.update(record.values)
        self._text(record.time, 0, shown.TAGS_TAG, shown.table("tag", facts.tags))

    def _note(self, record: Note) -> None:
        self._edit().note = record.text
        self._text(record.time, 0, shown.NOTE_TAG, record.text)

    def _artifact(self, record: Artifact) -> None:
        folder = place(self._run, self._root, record)
        self._edit().add_artifact(record, folder)

    def _started(self, record: RunStarted) -> None:
        if record.resumed or record.writer not in self.facts.writers:
            self._edit().begin(record)

    def _finished(self, record: RunFinished) -> None:
        self._edit().finish(record)
        self.ended = True

    def _unknown(self, record: Record) -> None:
        self.changes.append(
            Change("skipped", "", f"a record of kind {kind(record)} has no place in TensorBoard")
        )

    def _lost(self, record: Lost) -> None:
        self._edit().add_lost(record)


_HANDLERS: dict[type, Callable[..., None]] = {
    Metrics: Draft._metrics,
    Media: Draft._media,
    Params: Draft._params,
    Tags: Draft._labels,
    Note: Draft._note,
    Artifact: Draft._artifact,
    RunStarted: Draft._started,
    RunFinished: Draft._finished,
    Lost: Draft._lost,
}


def _named(record: Record) -> str:
    """What to call a record that is refused."""
    key = getattr(record, "key", None) or next(iter(getattr(record, "values", ())), "")
    step = getattr(record, "step", None)
    return f"{kind(record)} {key!r}" + ("" if step is None else f" at step {_spelled(step)}")


def _spelled(step: int) -> str:
    """The step in digits; an integer of thousands of digits cannot be printed."""
    return str(step) if step.bit_length() <= 128 else f"of {step.bit_length()} bits"
