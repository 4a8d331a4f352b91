"""A comparison as one HTML file that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runcast.catalog.svg import chart, escape
from runcast.catalog.texts import moment, number, shorten, span, value

if TYPE_CHECKING:
    from runcast.catalog.compare import Comparison

# Eight colours that people with any colour vision can tell apart; then dashed, then dotted.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f5fb8", "#8a6d3b")
_DASHES = ("", "stroke-dasharray:7 4;", "stroke-dasharray:2 3;")
_STYLES = len(_COLORS) * len(_DASHES)

_STYLE = """
:root { --text: #1b1f24; --soft: #667080; --line: #e3e7ec; --paper: #fff; --mark: #fff6d6;
  --band: 0.35; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ee; --soft: #98a2b0; --line: #30363f; --paper: #14171b; --mark: #3a3318;
    --band: 0.75; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 32px 24px; background: var(--paper); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 36px 0 10px; }
h3 { font-size: 15px; margin: 28px 0 10px; } h1, h2, h3, p { overflow-wrap: anywhere; }
p { color: var(--soft); margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 18px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top;
  max-width: 340px; min-width: 8ch; overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 6px; }
thead th { white-space: nowrap; } .word { white-space: nowrap; min-width: 0; }
.number { text-align: right; white-space: nowrap; min-width: 0; } .long { min-width: 20ch; }
td.id { font: 12px/1.9 ui-monospace, monospace; white-space: nowrap; }
td.id.folded { white-space: normal; min-width: 34ch; } .why td { max-width: none; }
.why div { position: sticky; left: 0; width: fit-content; max-width: min(1190px, calc(100vw - 48px)); }
tr:has(+ .why) td { border-bottom: none; padding-bottom: 0; }
tbody th { font-weight: 500; color: var(--soft); }
tr.differs td, tr.differs th { background: var(--mark); color: var(--text); }
figure.differs figcaption { background: var(--mark); padding: 2px 6px; }
pre { overflow-x: auto; padding: 12px; border: 1px solid var(--line); font-size: 13px; }
small { color: var(--soft); display: block; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr)); gap: 28px; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: 4px; overflow-wrap: anywhere; }
img, video { max-width: 100%; min-width: 96px; image-rendering: pixelated; }
.row { display: flex; flex-wrap: wrap; gap: 12px; }
.values { display: grid; gap: 28px; } .values svg { max-width: 620px; }
svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); } .tick { fill: var(--soft); font-size: 12px; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.both .c0 { stroke-width: 8; stroke-opacity: var(--band); stroke-linecap: round; }
.both .lone.c0 { r: 9px; fill-opacity: var(--band); }
.both .c1 { stroke-width: 1.75; }
.dot { stroke: none; opacity: 0; } .dot:hover, .dot.lone { opacity: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; list-style: none; padding: 0; margin: 0 0 16px; }
.key { width: 26px; height: 10px; display: inline-block; vertical-align: middle; margin-right: 6px; }
"""


def render(comparison: Comparison) -> str:
    """The page; every name and value in it is escaped."""
    title = f"Comparison of {len(comparison.runs)} runs" if len(comparison.runs) > 1 else "One run"
    experiments = ", ".join(sorted({run.experiment for run in comparison.runs}))
    return document(title, experiments, sections(comparison))


def sections(comparison: Comparison) -> Iterator[str]:
    """HTML of a comparison: runs, curves, last values, params."""
    yield from _runs(comparison)
    yield from _curves(comparison)
    yield from _metrics(comparison)
    yield from _params(comparison)


def document(title: str, lead: str, body: Iterable[str], *, media: bool = False) -> str:
    """A whole page around `body`, which is HTML; the title and the line below it are text.

    Args:
        media: whether pictures, sounds and films stand in it.
    """
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    policy += "; img-src data:; media-src data:" if media else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{escape(title)}: {escape(lead)}</title>",
            f"<style>{_STYLE}{_colors()}</style>",
            "</head>",
            "<body>",
            f"<h1>{escape(title)}</h1>",
            f"<p>{escape(lead)}</p>",
            *body,
            "</body>",
            "</html>\n",
        ]
    )


def _colors() -> str:
    rules = []
    for index in range(_STYLES):
        color, dash = _COLORS[index % len(_COLORS)], _DASHES[index // len(_COLORS)]
        rules.append(f".line.c{index} {{ stroke: {color}; {dash} }} .dot.c{index} {{ fill: {color}; }}")
    return "\n".join(rules)


def _runs(comparison: Comparison) -> Iterator[str]:
    yield '<h2>Runs</h2><div class="scroll"><table>'
    heads = "".join(f"<th>{head}</th>" for head in ("name", "status", "start", "duration", "id"))
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    for run in comparison.runs:
        cells = (run.name, run.status, moment(run.start), span(run.duration), run.id)
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
    yield "</tbody></table></div>"


def _curves(comparison: Comparison) -> Iterator[str]:
    drawn = comparison.curves()
    if not drawn:
        return
    colors = {run.id: index % _STYLES for index, run in enumerate(comparison.runs)}
    labels = comparison.labels()
    yield '<h2>Metrics over steps</h2><ul class="legend">'
    for id, label in labels.items():
        line = f'<svg class="key" viewBox="0 0 26 10"><path class="line c{colors[id]}" d="M0 5H26"/></svg>'
        yield f"<li>{line}{escape(label)}</li>"
    yield '</ul><div class="charts">'
    for key, curves in drawn.items():
        picture = chart(key, [(labels[id], colors[id], curve) for id, curve in curves.items()])
        yield f"<figure><figcaption>{escape(key)}</figcaption>{picture}</figure>"
    yield "</div>"


def _metrics(comparison: Comparison) -> Iterator[str]:
    if not comparison.metrics:
        return
    yield f'<h2>Last values</h2><div class="scroll"><table>{_head(comparison)}<tbody>'
    for row in comparison.metrics:
        cells = []
        for run in comparison.runs:
            summary = row.values.get(run.id)
            cells.append("<td></td>")
            if summary is not None:
                ends = f"{number(summary.min)} … {number(summary.max)}"
                cells[-1] = f"<td>{number(summary.last)}<small>{ends}</small></td>"
        yield f"<tr><th>{escape(row.key)}</th>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _params(comparison: Comparison) -> Iterator[str]:
    if not comparison.params:
        return
    yield f'<h2>Params</h2><div class="scroll"><table>{_head(comparison)}<tbody>'
    for row in comparison.params:
        texts = [value(row.values[run.id]) if run.id in row.values else "" for run in comparison.runs]
        cells = "".join(f"<td>{escape(shorten(text, 500))}</td>" for text in texts)
        mark = ' class="differs"' if row.differs else ""
        yield f"<tr{mark}><th>{escape(row.key)}</th>{cells}</tr>"
    yield "</tbody></table></div>"


def _head(comparison: Comparison) -> str:
    labels = comparison.labels().values()
    return "<thead><tr><th></th>" + "".join(f"<th>{escape(label)}</th>" for label in labels) + "</tr></thead>"
