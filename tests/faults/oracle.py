"""What must hold of a run whose script was killed: nothing acknowledged lost, nothing twice, its true end."""

from __future__ import annotations

from runcast.journal import JournalReader
from runcast.records import Metrics, RunFinished

from .project import Project, value
from .readers import read


def check(project: Project, run: str, acknowledged: int, end: str = "crashed") -> int:
    """Compare one run with its journal and with every tracker; gives how many points it has.

    Args:
        acknowledged: calls of ``run.log`` that had returned.
        end: how the run ended.
    """
    reader, records = JournalReader(project.layout.journal(run), run=run), []
    while batch := reader.read():
        records += batch
    assert reader.damage == [], f"run {run}: {reader.damage}"
    steps = [record.step for record in records if isinstance(record, Metrics)]
    assert steps == list(range(len(steps))), f"run {run}: the journal's steps are {steps}"
    # One more may be there: the call had written it and was killed before it returned.
    assert len(steps) in (acknowledged, acknowledged + 1), f"run {run}: {len(steps)} of {acknowledged}"
    last = records[-1]
    assert isinstance(last, RunFinished), f"run {run} ends with {last}"
    assert last.status == end
    assert end != "crashed" or "without a word" in (last.error or "")
    for backend in project.backends:
        _check_tracker(project, run, backend, len(steps), end)
    return len(steps)


def _check_tracker(project: Project, run: str, backend: str, count: int, end: str) -> None:
    where = f"run {run} in {backend}"
    seen = read(project, run, backend)
    assert seen.count == count, f"{where}: {seen.count} points instead of {count}"
    said = [(step, value(step)) for step in range(count)]
    expected = said if len(seen.points) == count else said[-1:]
    assert sorted(seen.points) == expected, f"{where}: other points than were said"
    assert seen.status == ("failed" if end == "crashed" else end), f"{where}: {seen.status}"
    assert seen.word in (end, ""), f"{where}: {seen.word}"
