"""A migration's report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runcast.catalog.page import document
from runcast.catalog.svg import chart, escape
from runcast.catalog.texts import counted, shorten, tally
from runcast.migrate.carry import changes
from runcast.migrate.engine import Plan
from runcast.migrate.manifest import Manifest, ModelEntry, RunEntry
from runcast.migrate.sketch import METRICS, RUNS, Sketch, Sketches
from runcast.migrate.verify import Verified

_SOURCE, _TARGET = 0, 1
"""Styles of curves: a broad pale band in blue; a thin line in orange, inside it where both agree."""
_MOST = 50
_ON_A_LINE = 36


def render(plan: Plan, verified: Sequence[Verified], sketches: Sketches) -> str:
    """The page: what became of each run, what it was verified to hold, and curves of both sides.

    Args:
        plan: with its manifest as it is after the migration.
        verified: of the runs that were compared.
        sketches: that watched the comparison.
    """
    manifest = plan.manifest
    runs = {result.source: result for result in verified if result.kind == "run"}
    models = {result.source: result for result in verified if result.kind != "run"}
    body = [
        *_summary(manifest, verified),
        *_runs(plan, runs),
        *_models(plan, models),
        *_differences(verified),
        *_changes(plan),
        *_curves(plan, runs, sketches),
    ]
    return document(f"Migration {manifest.id}", f"{manifest.source} → {manifest.destination}", body)


def _summary(manifest: Manifest, verified: Sequence[Verified]) -> Iterator[str]:
    told = [_counts(list(manifest.runs.values()), "run")]
    if manifest.models:
        told.append(_counts(list(manifest.models.values()), "registered model"))
    if verified:
        same, points = sum(result.ok for result in verified), sum(result.points for result in verified)
        what = "runs and models" if manifest.models else "runs"
        told.append(f"{same} of {len(verified)} compared {what} are the same, with {points:,} points in all")
    else:
        told.append("nothing was compared")
    yield f"<p>{'. '.join(told)}.</p>"


def _counts(entries: Sequence[RunEntry | ModelEntry], what: str) -> str:
    states = tally([entry.state for entry in entries])
    return f"{counted(len(entries), what)}: {states}" if entries else f"No {what}s"


def _is_wrong(entry: RunEntry | ModelEntry, result: Verified | None) -> bool:
    return entry.state not in ("delivered", "removed") or (result is not None and not result.ok)


def _runs(plan: Plan, verified: dict[str, Verified]) -> Iterator[str]:
    """A table of all runs, those before that need a look."""
    entries = list(plan.manifest.runs.values())
    there = _ids([entry.ref.id for entry in entries if entry.ref])
    heads = {
        "run": "long", "experiment": "", "id in the source": _ids([entry.source for entry in entries]),
        "id in the destination": there, "state": "word", "points": "number", "changed form": "number",
        "compared": "word",
    }  # fmt: skip
    yield from _head("Runs", heads)
    for entry in sorted(entries, key=lambda entry: not _is_wrong(entry, verified.get(entry.source))):
        result = verified.get(entry.source)
        cells = (
            shorten(entry.name, 120),
            shorten(entry.experiment, 120),
            entry.source,
            entry.ref.id if entry.ref else "",
            entry.state,
            f"{entry.points:,}",
            f"{entry.changes}" if entry.changes else "",
            "" if result is None else _compared(result),
        )
        wrong = _is_wrong(entry, result)
        yield _row(cells, heads, differs=wrong) + _why(entry, result, len(heads), differs=wrong)
    yield "</tbody></table></div>"


def _models(plan: Plan, verified: dict[str, Verified]) -> Iterator[str]:
    entries = plan.manifest.models.values()
    if not entries:
        return
    heads = {
        "in the source": "", "in the destination": "", "state": "word", "versions": "long",
        "compared": "word",
    }  # fmt: skip
    yield from _head("Registered models", heads)
    for entry in entries:
        result = verified.get(entry.source)
        versions = ", ".join(f"{number} → {there}" for number, there in entry.versions.items())
        compared = "" if result is None else _compared(result)
        cells = (entry.source, entry.name, entry.state, versions, compared)
        wrong = _is_wrong(entry, result)
        yield _row(cells, heads, differs=wrong) + _why(entry, result, len(heads), differs=wrong)
    yield "</tbody></table></div>"


def _ids(ids: Sequence[str]) -> str:
    """Ids stand on one line unless one of them is a long path."""
    return "id folded" if max(map(len, ids), default=0) > _ON_A_LINE else "id"


def _why(entry: RunEntry | ModelEntry, result: Verified | None, width: int, *, differs: bool) -> str:
    """A row below the entry's own with the reason, where there is one."""
    problem = result.problem if result is not None and entry.state == "delivered" else ""
    reason = shorten("; ".join(filter(None, (entry.reason, problem))), 1000)
    marks = "why differs" if differs else "why"
    cell = f'<td colspan="{width}"><div>{escape(reason)}</div></td>'
    return f'<tr class="{marks}">{cell}</tr>' if reason else ""


def _compared(result: Verified) -> str:
    if result.problem:
        return "not possible"
    return counted(len(result.differences), "difference") if result.differences else "same"


def _changes(plan: Plan) -> Iterator[str]:
    """What the destination holds in another form: each remark once, with the runs that it is about."""
    runs: dict[tuple[str, str, str], int] = {}
    layout, backend = plan.folder.layout, plan.destination.name
    for entry in plan.manifest.runs.values():
        if entry.changes:
            for change in changes(layout, entry.run, backend):
                remark = change.what, change.key, change.detail
                runs[remark] = runs.get(remark, 0) + 1
    if not runs:
        return
    heads = {"what": "word", "name": "", "how": "long", "runs": "number"}
    yield from _head("Held in another form", heads)
    for (what, key, detail), count in list(runs.items())[:_MOST]:
        yield _row((what, shorten(key, 200), shorten(detail, 500), str(count)), heads)
    yield "</tbody></table></div>"
    if len(runs) > _MOST:
        yield f"<p>and {len(runs) - _MOST} more</p>"


def _differences(verified: Sequence[Verified]) -> Iterator[str]:
    rows = [(result.name, d) for result in verified for d in result.differences]
    if not rows:
        return
    heads = {"run": "long", "what": "word", "name": "", "source": "long", "destination": "long"}
    yield from _head("Differences", heads)
    for name, d in rows[:_MOST]:
        names = shorten(name, 200), d.what, shorten(d.name, 200)
        yield _row((*names, shorten(d.source, 500), shorten(d.destination, 500)), heads)
    yield "</tbody></table></div>"
    if len(rows) > _MOST:
        yield f"<p>and {len(rows) - _MOST} more</p>"


def _curves(plan: Plan, verified: dict[str, Verified], sketches: Sketches) -> Iterator[str]:
    """Source and destination over each other, runs and metrics that differ before the others."""
    entries = [entry for entry in plan.manifest.runs.values() if sketches.of(entry.source)]
    if not entries:
        return
    yield '<h2>Curves</h2><ul class="legend both">'
    for label, style in (("source", _SOURCE), ("destination", _TARGET)):
        line = f'<svg class="key" viewBox="0 0 26 10"><path class="line c{style}" d="M4 5H22"/></svg>'
        yield f"<li>{line}{label}</li>"
    yield "<li>equal: the thin line runs inside the broad one</li></ul>"
    if sketches.cut:
        yield f"<p>Of the first {RUNS} runs, {METRICS} metrics of each.</p>"
    for entry in sorted(entries, key=lambda entry: not _is_wrong(entry, verified.get(entry.source))):
        result = verified.get(entry.source)
        wrong = {d.name for d in result.differences if d.what == "metric"} if result is not None else set()
        yield f"<h3>{escape(shorten(entry.name, 200))} <small>{escape(entry.experiment)}</small></h3>"
        yield '<div class="charts both">'
        for metric, sides in sorted(sketches.of(entry.source).items(), key=lambda item: item[0] not in wrong):
            yield _chart(metric, sides, differs=metric in wrong)
        yield "</div>"


def _chart(metric: str, sides: dict[str, Sketch], *, differs: bool) -> str:
    ours, theirs = sides.get("source") or Sketch(), sides.get("target") or Sketch()
    lines = [("source", _SOURCE, ours.curve()), ("destination", _TARGET, theirs.curve())]
    remarks = ["differs"] if differs else []
    if ours.flat or theirs.flat:
        both = counted(ours.flat, "value")
        both = (
            both
            if ours.flat == theirs.flat
            else f"{both} of the source and {theirs.flat:,} of the destination"
        )
        remarks.append(
            f"{both} {'is' if ours.flat == theirs.flat == 1 else 'are'} NaN or infinite, and not drawn"
        )
    told = f" <small>{'; '.join(remarks)}</small>" if remarks else ""
    mark = ' class="differs"' if differs else ""
    return f"<figure{mark}><figcaption>{escape(metric)}{told}</figcaption>{chart(metric, lines)}</figure>"


def _head(title: str, heads: dict[str, str]) -> Iterator[str]:
    cells = "".join(f"<th{_form(form)}>{head}</th>" for head, form in heads.items())
    yield f'<h2>{title}</h2><div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>'


def _row(cells: Sequence[str], heads: dict[str, str], *, differs: bool = False) -> str:
    mark = ' class="differs"' if differs else ""
    forms = zip(cells, heads.values(), strict=True)
    inner = "".join(f"<td{_form(form)}>{escape(cell)}</td>" for cell, form in forms)
    return f"<tr{mark}>{inner}</tr>"


def _form(name: str) -> str:
    """The attribute of a cell: what its column holds, as the page's style calls it."""
    return f' class="{name}"' if name else ""
