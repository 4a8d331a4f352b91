"""Records of numbers: metrics, system metrics, and what is wanted of a metric."""

from __future__ import annotations

from runcast.backends.tensorboard import shown
from runcast.backends.tensorboard.draft import Draft
from runcast.backends.tensorboard.summaries import updated
from runcast.codec import encode
from runcast.plugins import Change
from runcast.records import Define, Metrics, System

_INT32 = 1 << 31
_SAMPLES = "_runcast_/system"


def metrics(draft: Draft, record: Metrics) -> None:
    """Scalars; what they leave out of the record is in none of its fields, so it is not carried."""
    step = record.step
    tags = draft.scalars(record.time, step, record.values)
    if draft.facts.defines:
        _sum_up(draft, record, tags)
    if not -_INT32 <= step < _INT32 and not draft.facts.wide_steps:
        _leave_hparams(draft, record)


def system(draft: Draft, record: System) -> None:
    """Scalars whose step is the number of the sample."""
    step = draft.steps.get(_SAMPLES, -1) + 1
    draft.steps[_SAMPLES] = step
    values = {shown.SYSTEM + key: value for key, value in record.values.items()}
    draft.scalars(record.time, step, values, encode(record))


def define(draft: Draft, record: Define) -> None:
    """Kept with the run; from here on the metric is summed up."""
    facts = draft.edit()
    facts.defines.pop(record.key, None)  # the last pattern that fits counts
    facts.defines[record.key] = {"goal": record.goal, "summary": list(record.summary)}
    draft.emit(record)


def _sum_up(draft: Draft, record: Metrics, tags: list[str]) -> None:
    for tag, (key, value) in zip(tags, record.values.items(), strict=True):
        if draft.facts.definition(key) is not None:
            draft.summaries[tag] = updated(draft.summaries.get(tag), record.step, value)


def _leave_hparams(draft: Draft, record: Metrics) -> None:
    """One such step makes TensorBoard's HParams dashboard fail for every run of the logdir."""
    detail = (
        f"step {record.step} is beyond int32, on which TensorBoard's HParams dashboard fails: "
        "the run is left out of it, and its params are shown as text"
    )
    draft.changes.append(Change("degraded", next(iter(record.values), ""), detail))
    draft.edit().wide_steps = True
    params_text(draft, record.time)


def params_text(draft: Draft, time: int) -> None:
    """The params of a run that HParams cannot show."""
    params = {name: str(value) for name, value in shown.hparams(draft.facts.params)[0].items()}
    draft.text(time, 0, shown.page("params"), shown.table("param", params))
