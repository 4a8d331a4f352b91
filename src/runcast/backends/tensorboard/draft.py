"""What one batch adds to a run: made whole in memory first, so that a refused batch changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from runcast.backends.tensorboard import shown
from runcast.backends.tensorboard.facts import Facts
from runcast.backends.tensorboard.summaries import Entry, wanted
from runcast.codec import encode
from runcast.formats.tfevents import ScalarEncoder, event, frame, text_value, with_record
from runcast.plugins import Change, OpenRun
from runcast.records import Record, Scalar


class Draft:
    """What records come to; `runcast.backends.tensorboard.taking` hands them over.

    Attributes:
        run, root: the run, and its folder.
        events: frames to append.
        facts: what is known of the run with these records; the object given where none changed it.
        steps: tag → its last step.
        back: tags that have gone back or stood still; told once each.
        summaries: tag → what is kept of a metric that was defined.
        changes: for the receipt.
    """

    def __init__(
        self, run: OpenRun, root: Path, encoder: ScalarEncoder, facts: Facts, state: Mapping[str, Any]
    ) -> None:
        self.run, self.root = run, root
        self.events: list[bytes] = []
        self.facts = facts
        self.steps: dict[str, int] = dict(state["steps"])
        self.back: set[str] = set(state["back"])
        self.summaries: dict[str, Entry] = dict(state.get("summaries", {}))
        self.changes: list[Change] = []
        self._encoder, self._before = encoder, facts
        self._tags: dict[str, str] = {}

    @property
    def changed(self) -> bool:
        """Whether the facts are not what they were."""
        return self.facts is not self._before

    def edit(self) -> Facts:
        """The facts, to be changed."""
        if not self.changed:
            self.facts = self._before.copy()
        return self.facts

    def sum_up(self) -> None:
        """Bring what is wanted of the metrics into the facts."""
        facts, summaries = self.edit(), {}
        for tag, entry in self.summaries.items():
            key = facts.keys.get(tag, tag)
            define = facts.definition(key)
            if define is not None:
                summaries[key] = wanted(entry, define)
        facts.summaries = summaries

    def memory(self) -> dict[str, Any]:
        """What the next draft must know, JSON-like."""
        return {"steps": self.steps, "back": sorted(self.back), "summaries": self.summaries}

    def tag(self, key: str, suffix: str = "") -> str:
        """The legal tag of a key, remembered in the facts where it is another."""
        tag = shown.tag(key) + suffix
        if tag != key + suffix and tag not in self.facts.keys:
            self.edit().keys[tag] = key
            self.changes.append(Change("renamed", key, tag))
        return tag

    def advance(self, tag: str, key: str, step: int) -> None:
        """Note the step of a tag, and tell if it goes back."""
        if tag in self.steps and step <= self.steps[tag] and tag not in self.back:
            self._report_back(tag, key, step)
        self.steps[tag] = step

    def _report_back(self, tag: str, key: str, step: int) -> None:
        self.back.add(tag)
        detail = (
            f"step {spelled(step)} came after step {self.steps[tag]}: the file keeps every point, "
            "TensorBoard's default data server drops the earlier ones from there on"
        )
        self.changes.append(Change("degraded", key, detail))

    def scalars(self, time: int, step: int, values: Mapping[str, Scalar], record: bytes = b"") -> list[str]:
        """Numbers at one step; the tags that they got, in order."""
        steps, tags = self.steps, self._tags
        named: dict[str, Scalar] = {}
        for key, value in values.items():
            tag = tags.get(key)
            if tag is None:
                tag = tags[key] = self.tag(key)
            if tag in steps and step <= steps[tag] and tag not in self.back:  # `advance`, without the call
                self._report_back(tag, key, step)
            steps[tag] = step
            named[tag] = value
        overflowed: list[str] = []
        payload = self._encoder.event(time, step, named, overflowed)
        self.events.append(frame(with_record(payload, record) if record else payload))
        for tag in overflowed:
            detail = "beyond float32: TensorBoard shows infinity; the file keeps the number"
            self.changes.append(Change("degraded", self.facts.keys.get(tag, tag), detail))
        return list(named)

    def emit(self, record: Record, step: int = 0, values: Iterable[bytes] = ()) -> None:
        """An event that carries a record, with what is shown of it."""
        self.events.append(frame(event(record.time, step, *values, record=encode(record))))

    def text(self, time: int, step: int, tag: str, text: str, caption: str | None = None) -> None:
        """A text that carries no record: it says all there is, or is only for people."""
        self.events.append(frame(event(time, step, text_value(tag, text, caption))))

    def page(self, record: Record, name: str, text: str, *, numbered: bool = False) -> None:
        """A record that is shown as one of our own texts: the last one, or each under a number."""
        tag = shown.page(name)
        step = self.steps.get(tag, -1) + 1 if numbered else 0
        if numbered:
            self.steps[tag] = step
        self.emit(record, step, [text_value(tag, text)])


def spelled(step: int) -> str:
    """The step in digits; an integer of thousands of digits cannot be printed."""
    return str(step) if step.bit_length() <= 128 else f"of {step.bit_length()} bits"
