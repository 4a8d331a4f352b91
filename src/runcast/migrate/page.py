"""A migration's report as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runcast.catalog.page import document
from runcast.catalog.svg import chart, escape
from runcast.catalog.texts import shorten
from runcast.migrate.carry import changes
from runcast.migrate.engine import Plan
from runcast.migrate.manifest import RunEntry
from runcast.migrate.sketch import Sketches
from runcast.migrate.verify import Verified

_SOURCE, _TARGET = 0, 9
"""Styles of curves: a blue line, and an orange one dashed, which lets the other show through."""
_MOST = 50


def render(plan: Plan, verified: Sequence[Verified], sketches: Sketches) -> str:
    """The page: what became of each run, what it was verified to hold, and curves of both sides.

    Args:
        plan: with its manifest as it is after the migration.
        verified: of the runs that were compared.
        sketches: that watched the comparison.
    """
    manifest = plan.manifest
    body = [
        *_summary(list(manifest.runs.values()), verified),
        *_runs(plan, {result.source: result for result in verified if result.kind == "run"}),
        *_models(plan, {result.source: result for result in verified if result.kind != "run"}),
        *_changes(plan),
        *_differences(verified),
        *_curves(plan, sketches),
    ]
    return document(f"Migration {manifest.id}", f"{manifest.source} → {manifest.destination}", body)


def _summary(entries: list[RunEntry], verified: Sequence[Verified]) -> Iterator[str]:
    states = [entry.state for entry in entries]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    points = sum(result.points for result in verified)
    same = sum(result.ok for result in verified)
    compared = (
        f"{same} of {len(verified)} compared runs and models are the same, {points:,} points of metrics "
        "among them"
    )
    yield f"<p>{counts or 'no runs'}. {compared if verified else 'Nothing was compared'}.</p>"


def _runs(plan: Plan, verified: dict[str, Verified]) -> Iterator[str]:
    heads = ("run", "experiment", "there", "here", "state", "points", "changed form", "compared", "")
    yield from _head("Runs", heads)
    for entry in plan.manifest.runs.values():
        result = verified.get(entry.source)
        compared = "" if result is None else _compared(result)
        wrong = entry.state not in ("delivered", "removed") or (result is not None and not result.ok)
        here = entry.ref.id if entry.ref else ""
        cells = (
            entry.name,
            entry.experiment,
            entry.source,
            here,
            entry.state,
            f"{entry.points:,}",
            f"{entry.changes}" if entry.changes else "",
            compared,
            shorten(entry.reason, 500),
        )
        yield _row(cells, differs=wrong)
    yield "</tbody></table></div>"


def _models(plan: Plan, verified: dict[str, Verified]) -> Iterator[str]:
    entries = plan.manifest.models.values()
    if not entries:
        return
    yield from _head("Registered models", ("there", "here", "state", "versions", "compared", ""))
    for entry in entries:
        result = verified.get(entry.source)
        wrong = entry.state not in ("delivered", "removed") or (result is not None and not result.ok)
        versions = ", ".join(f"{number} → {there}" for number, there in entry.versions.items())
        compared = "" if result is None else _compared(result)
        cells = (entry.source, entry.name, entry.state, versions, compared, shorten(entry.reason, 500))
        yield _row(cells, differs=wrong)
    yield "</tbody></table></div>"


def _compared(result: Verified) -> str:
    if result.problem:
        return result.problem
    return f"{len(result.differences)} differences" if result.differences else "same"


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
    yield from _head("Held in another form", ("what", "name", "how", "runs"))
    for (what, key, detail), count in list(runs.items())[:_MOST]:
        yield _row((what, shorten(key, 200), shorten(detail, 500), str(count)))
    yield "</tbody></table></div>"
    if len(runs) > _MOST:
        yield f"<p>and {len(runs) - _MOST} more</p>"


def _differences(verified: Sequence[Verified]) -> Iterator[str]:
    rows = [(result.name, d) for result in verified for d in result.differences]
    if not rows:
        return
    yield from _head("Differences", ("run", "what", "name", "source", "destination"))
    for name, d in rows[:_MOST]:
        cells = (name, d.what, d.name, shorten(d.source, 500), shorten(d.destination, 500))
        yield _row(cells, differs=True)
    yield "</tbody></table></div>"
    if len(rows) > _MOST:
        yield f"<p>and {len(rows) - _MOST} more</p>"


def _curves(plan: Plan, sketches: Sketches) -> Iterator[str]:
    for entry in plan.manifest.runs.values():
        drawn = sketches.curves(entry.source)
        if not drawn:
            continue
        yield f"<h2>{escape(entry.name)}</h2>"
        yield '<ul class="legend">'
        for label, style in (("source", _SOURCE), ("destination", _TARGET)):
            line = f'<svg class="key" viewBox="0 0 26 10"><path class="line c{style}" d="M0 5H26"/></svg>'
            yield f"<li>{line}{label}</li>"
        yield '</ul><div class="charts">'
        for metric, sides in drawn.items():
            lines = [
                ("source", _SOURCE, sides.get("source", [])),
                ("destination", _TARGET, sides.get("target", [])),
            ]
            yield f"<figure><figcaption>{escape(metric)}</figcaption>{chart(metric, lines)}</figure>"
        yield "</div>"


def _head(title: str, heads: Sequence[str]) -> Iterator[str]:
    yield f'<h2>{title}</h2><div class="scroll"><table>'
    yield f"<thead><tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr></thead><tbody>"


def _row(cells: Sequence[str], *, differs: bool = False) -> str:
    mark = ' class="differs"' if differs else ""
    return f"<tr{mark}>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
