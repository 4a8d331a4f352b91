"""``runcast plan``: what a migration would lose, before anything is written."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from runcast.catalog.texts import counted
from runcast.cli import migrating, output
from runcast.cli.migrating import Experiment, From, Json, Runs, Since, Strict, StrictMapped, To
from runcast.migrate import Plan, prepare
from runcast.migrate.contract import Foreseen, Less, plan
from runcast.plugins.source import Selection


def plan_command(
    source: From,
    dest: To,
    experiment: Experiment = "*",
    run: Runs = None,
    since: Since = None,
    strict: Strict = False,
    strict_mapped: StrictMapped = False,
    json: Json = False,
) -> None:
    """Read each run, and say which of what it holds the destination keeps in another form, or not at all.

    Nothing is written.
    """
    with output.errors():
        prepared = prepare(source, dest)
        results = foresee(prepared, migrating.selection(experiment, run, since), quiet=json)
    show(results, prepared.destination.name, json=json)
    if is_refused(results, strict=strict, strict_mapped=strict_mapped):
        raise typer.Exit(output.FAILED)


def foresee(prepared: Plan, selected: Selection, *, quiet: bool) -> list[Foreseen]:
    """The loss contract, read with a bar."""
    with migrating.counter("reading", quiet=quiet) as tell:
        return list(plan(prepared, selected, tell))


def is_refused(results: Sequence[Foreseen], *, strict: bool, strict_mapped: bool) -> bool:
    """Whether ``--strict`` or ``--strict-mapped`` forbids it."""
    lossy, changing = any(result.loses for result in results), any(result.maps for result in results)
    return (lossy and (strict or strict_mapped)) or (changing and strict_mapped)


def show(results: Sequence[Foreseen], destination: str, *, json: bool) -> None:
    """Print the contract."""
    if json:
        output.print_json([result.model_dump(mode="json") for result in results])
    else:
        _tell(results, destination)


def _tell(results: Sequence[Foreseen], destination: str) -> None:
    console = output.console()
    rows = [
        (
            r.name,
            r.id if r.kind == "run" else r.kind,
            r.state,
            f"{r.kinds.get('metrics', 0):,}",
            f"{r.bytes:,}",
            ", ".join(less.feature for less in r.less if less.level == "mapped"),
            ", ".join(less.feature for less in r.less if less.level != "mapped"),
            r.problem or "; ".join(r.lost[:3]),
        )
        for r in results
    ]
    columns = ["run", "id", "", "points", "bytes", "in another form", "lost", "cannot be read"]
    console.print(output.table(columns, rows, right=columns[3:5]))
    notes: dict[str, tuple[Less, int]] = {}
    for result in results:
        for less in result.less:
            _, runs = notes.get(less.feature, (less, 0))
            notes[less.feature] = less, runs + 1
    lines = [(less.description, less.level, str(runs), less.note) for less, runs in notes.values()]
    if lines:
        heads = ["what", "level", "runs", f"in {destination}"]
        console.print(output.table(heads, lines, right=["runs"]))
    lossy, models = sum(result.loses for result in results), sum(r.kind != "run" for r in results)
    also = f", {counted(models, 'registered model')}" if models else ""
    console.print(
        f"{counted(len(results) - models, 'run')}{also}; {lossy} would lose something; nothing was written"
    )
