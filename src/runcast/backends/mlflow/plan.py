"""A batch of records as what MLflow has slots for, before anything is sent.

Nothing here talks to MLflow, and nothing is remembered before the batch went through, except which
names are already known and what was already reported.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.residual import ARTIFACT, line, shown
from runcast.codec import pack
from runcast.plugins import Change
from runcast.receipts import Made
from runcast.records import Artifact, Environment, Input, Media, Model, Trace

NOTE = "mlflow.note.content"
LOST = "runcast.lost"
Upload = Media | Artifact | Model | Input | Environment | Trace
"""A record that goes up in calls of its own."""
KEYMAP = "runcast.keymap"


@dataclass
class Plan:
    """What one batch asks of MLflow.

    Attributes:
        metrics: ``mlflow.entities.Metric``, in the order of the journal.
        marks: after each record: how many metrics stood before, its writer and number.
        params, tags: native name → text.
        texts: artifact path → content of a spilled value.
        uploads: records that go up in calls of their own, in order.
        lines: for the residual.
        rows: for the file of rows.
        renamed: native name → name.
        changes: (what, key) → change.
        lost: line → count, of values that were lost before they came here.
        ending: MLflow's status and the time in ms, where the run ended or began again (time 0).
        made: what got an id of MLflow's.
        summaries: of metrics, after this batch, for the state.
        named: native names whose renaming is on record already.
    """

    metrics: list[Any] = field(default_factory=list)
    marks: list[tuple[int, str, int]] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    changes: dict[tuple[str, str], Change] = field(default_factory=dict)
    lost: dict[bytes, int] = field(default_factory=dict)
    ending: tuple[str, int] | None = None
    made: list[Made] = field(default_factory=list)
    summaries: dict[str, Any] | None = None
    named: Container[str] = ()

    def change(self, what: Any, key: str, detail: str) -> None:
        """Report one change, once per batch and key."""
        self.changes.setdefault((what, key), Change(what=what, key=key, detail=detail))

    def rename(self, key: str, native: str) -> None:
        """Report a name that MLflow refuses."""
        if key != native and native not in self.renamed and native not in self.named:
            self.renamed[native] = key
            self.lines.append(line(kind="name", key=key, **{"as": native}))
            self.change("renamed", key, native)


def param_text(value: Any) -> str:
    """A param as people see it in MLflow: ``str`` of scalars, as its own client does; JSON of the rest."""
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def add_params(
    plan: Plan, values: Mapping[str, Any], stored: Mapping[str, str], tags: Container[str]
) -> None:
    """Plan params; MLflow never changes one, so another value goes into a tag.

    Args:
        plan: is added to.
        values: name → value.
        stored: native name → text, what MLflow already has.
        tags: names of the tags that MLflow already has.
    """
    for key, value in values.items():
        native = names.key(key)
        plan.rename(key, native)
        text = param_text(value)
        first = plan.params.get(native, stored.get(native))
        place = f"params/{names.file_name(native)}"
        fitted, file = _fit(plan, key, text, names.PARAM_LIMIT, place, ".json")
        if file is not None:
            if first not in (None, fitted):
                file = f"runcast/{place}-{shown(text)}.json"
            plan.texts[file] = json.dumps(pack(value))
        if first is None:
            plan.params[native] = fitted
        slot = fitted if first is None else first
        conflict = _conflict(plan, key, native, slot, fitted, tags)
        if conflict or fitted != text or not isinstance(value, str):
            exact = {"file": file} if file else {"value": value}
            plan.lines.append(line(kind="param", key=key, shown=shown(slot), **exact))


def _conflict(plan: Plan, key: str, native: str, slot: str, text: str, tags: Container[str]) -> bool:
    """Put a param's later value into a tag; returns whether the param has had two values."""
    tag = names.conflict_tag(native)
    if slot == text and tag not in tags and tag not in plan.tags:
        return False
    plan.tags[tag] = text
    if slot != text:
        plan.change(
            "degraded",
            key,
            f"MLflow never changes a param: it keeps {slot[:80]!r}; the value {text[:80]!r} is the tag {tag}",
        )
    return True


def add_tags(plan: Plan, values: Mapping[str, str]) -> None:
    """Plan tags; the last value of a name wins."""
    for key, value in values.items():
        native = names.tag(key)
        plan.rename(key, native)
        _add_text(plan, "tag", key, native, value, f"tags/{names.file_name(native)}")


def add_note(plan: Plan, text: str) -> None:
    """Plan the description, which MLflow keeps in a tag."""
    _add_text(plan, "note", "note", NOTE, text, "note")


def _add_text(plan: Plan, kind: str, key: str, native: str, value: str, place: str) -> None:
    fitted, file = _fit(plan, key, value, names.TAG_LIMIT, place, ".txt")
    plan.tags[native] = fitted
    if file is not None:
        plan.texts[file] = value
        plan.lines.append(line(kind=kind, key=key, shown=shown(fitted), file=file))
    elif fitted != value or (kind == "tag" and native.startswith("mlflow.")):  # which MLflow may set, too
        plan.lines.append(line(kind=kind, key=key, shown=shown(fitted), value=value))


def _fit(plan: Plan, key: str, text: str, limit: int, place: str, suffix: str) -> tuple[str, str | None]:
    """The text for MLflow's slot, and the artifact for the whole one where it is too long."""
    storable = printable(text[: limit + 1])
    if len(text) <= limit and len(storable) <= limit:
        if storable != text:
            plan.change("degraded", key, "characters that databases refuse are shown as escapes")
        return storable, None
    file = f"runcast/{place}{suffix}"
    # The digest makes two long values differ, whose beginnings do not.
    tail = f" ... [{len(text)} characters, sha256 {shown(text)}; all of it: {file}]"
    plan.change("spilled", key, f"{len(text)} characters, MLflow takes {limit}: all of it is in {file}")
    return storable[: limit - len(tail)] + tail, file


def printable(text: str) -> str:
    """`text` without NUL and lone surrogates, which PostgreSQL and UTF-8 refuse."""
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def keymap(text: str | None) -> dict[str, str] | None:
    """The map that a tag holds, native name → name; None where it did not fit."""
    try:
        map_ = json.loads(text or "{}")
    except ValueError:
        return {}
    return None if "$spilled" in map_ else dict(map_)


def keymap_text(map_: Mapping[str, str]) -> str | None:
    """The tag for a map, or None where it is too long for a tag."""
    text = json.dumps(dict(map_), ensure_ascii=True)
    return text if len(text) <= names.TAG_LIMIT else None


KEYMAP_SPILLED = json.dumps({"$spilled": ARTIFACT})
