"""Records that say something about the run: all end up in the facts, most as a text too."""

from __future__ import annotations

from runcast.backends.tensorboard import pages, shown
from runcast.backends.tensorboard.beside import digest_of, place
from runcast.backends.tensorboard.draft import Draft
from runcast.backends.tensorboard.points import params_text
from runcast.plugins import Change
from runcast.records import Environment, Lost, Note, Params, RunFinished, RunStarted, Tags, Trace


def started(draft: Draft, record: RunStarted) -> None:
    """A process began."""
    if record.resumed or record.writer not in draft.facts.writers:
        draft.edit().begin(record)
    draft.emit(record)


def params(draft: Draft, record: Params) -> None:
    """HParams are written from the facts."""
    for key in draft.edit().add_params(record):
        detail = "logged again with another value: the last one is kept"
        draft.changes.append(Change("degraded", key, detail))
    draft.changes += shown.hparams(record.values)[1]
    draft.emit(record)
    if draft.facts.wide_steps:
        params_text(draft, record.time)


def labels(draft: Draft, record: Tags) -> None:
    """A table of all labels so far."""
    facts = draft.edit()
    facts.tags.update(record.values)
    draft.page(record, "tags", shown.table("tag", facts.tags))


def note(draft: Draft, record: Note) -> None:
    """Markdown."""
    draft.edit().note = record.text
    draft.page(record, "note", record.text)


def environment(draft: Draft, record: Environment) -> None:
    """A table of all that is known; files beside."""
    facts = draft.edit()
    facts.environment.update(record.values)
    if record.files:
        folder = f"environment/{digest_of(record.files)[:12]}"
        place(draft.run, draft.root, folder, "environment", record.files)
        facts.environment_files[folder] = [file.path for file in record.files]
    draft.page(record, "environment", pages.environment(facts))


def trace(draft: Draft, record: Trace) -> None:
    """One text each."""
    name = record.spans[0].name if record.spans else ""
    detail = "TensorBoard has no traces: each is a text, of which a sample is shown; the file has all"
    draft.changes.append(Change("degraded", name, detail))
    draft.page(record, "traces", pages.trace(record), numbered=True)


def lost(draft: Draft, record: Lost) -> None:
    """Counted."""
    draft.edit().add_lost(record)
    draft.emit(record)


def finished(draft: Draft, record: RunFinished) -> None:
    """A process ended; what is wanted of the metrics is shown."""
    draft.edit().finish(record)
    draft.sum_up()
    if draft.facts.summaries:
        draft.page(record, "summaries", pages.summaries(draft.facts.summaries))
    else:
        draft.emit(record)
