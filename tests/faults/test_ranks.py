"""Many processes of one job: eight ranks, and data loaders by every start method."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runcast.courier.catchup import find_pending
from runcast.courier.report import report
from runcast.courier.started_here import is_noted
from runcast.journal import JournalReader, Layout

from ..courier.processes import until

RANKS = 8
STEPS = 50

SCRIPT = """
import os, sys, time, runcast
from pathlib import Path
config = {config!r}
rank, launch = os.environ["RANK"], sys.argv[1]
with runcast.start("job", backends=["fake"], config=config, resume={resume!r}) as run:
    Path(f"here-{{launch}}-{{rank}}").touch()
    for step in range({steps}):
        run.log({{f"rank{{rank}}/loss": float(step)}}, step=None if {resume!r} else step)
    while len(list(Path().glob(f"here-{{launch}}-*"))) < {ranks}:  # as a collective call would wait
        time.sleep(0.01)
    print(run.id)
"""

Launch = Callable[..., str]


@pytest.fixture
def launch(fake: Any, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Starts every rank at once, as torchrun does, and gives the id of their common run."""
    count = 0

    def go(ranks: str, resume: str | None = None) -> str:
        nonlocal count
        count += 1
        config = fake.config(ranks=ranks, finish_timeout=60.0)
        code = SCRIPT.format(config=config, resume=resume, steps=STEPS, ranks=RANKS)
        monkeypatch.setenv("WORLD_SIZE", str(RANKS))
        processes = []
        for rank in range(RANKS):
            monkeypatch.setenv("RANK", str(rank))
            command = [sys.executable, "-c", code, str(count)]
            processes.append(subprocess.Popen(command, cwd=fake.root, stdout=subprocess.PIPE, text=True))
        said = [process.communicate(timeout=120)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * RANKS
        (run,) = {text.strip() for text in said}
        until(lambda: find_pending(Layout(fake.root / "rc"), {}) == [], 60.0)
        return run

    return go


def series(fake: Any, run: str) -> dict[str, list[tuple[int, float]]]:
    """Metric → (step, value) in the order in which the tracker got them."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in fake.received(run):
        if record["kind"] == "metrics":
            for key, value in record["values"].items():
                found.setdefault(key, []).append((record["step"], value))
    return found


@pytest.mark.fault(
    "F28",
    how="eight ranks in processes of their own, all of which log",
    outcome="one run with every record of every rank, once; it is finished when rank 0 says so",
)
def test_eight_ranks_are_one_run(fake: Any, launch: Launch) -> None:
    """`ranks="all"`: nothing lost, nothing twice, one beginning, one end; and all resume together."""
    run = launch("all")
    layout = Layout(fake.root / "rc")
    points = [(step, float(step)) for step in range(STEPS)]
    kinds = [record["kind"] for record in fake.received(run)]

    assert layout.run_ids() == [run]
    assert is_noted(layout, run)  # whichever rank came first, it is this user's own
    assert series(fake, run) == {f"rank{rank}/loss": points for rank in range(RANKS)}
    assert (kinds.count("run_started"), kinds.count("run_finished")) == (1, 1)
    assert report(layout, run).status == "finished"

    assert launch("all", resume=run) == run
    later = [(STEPS + step, float(step)) for step in range(STEPS)]
    assert series(fake, run) == {f"rank{rank}/loss": points + later for rank in range(RANKS)}
    assert generations(layout, run) == {0: RANKS, 1: RANKS}
    assert report(layout, run).status == "finished"


def generations(layout: Layout, run: str) -> dict[int, int]:
    """Generation → how many processes wrote in it."""
    reader = JournalReader(layout.journal(run))
    reader.read()
    found: dict[int, int] = {}
    for header in reader.segments():
        found[header.generation] = found.get(header.generation, 0) + 1
    return found


@pytest.mark.fault(
    "F28",
    how="eight ranks in processes of their own, of which rank 0 logs",
    outcome="one run with rank 0's records, once",
)
def test_rank_zero_speaks_for_all(fake: Any, launch: Launch) -> None:
    """`ranks="zero"`: the other seven hold a run that says nothing."""
    run = launch("zero")

    assert Layout(fake.root / "rc").run_ids() == [run]
    assert series(fake, run) == {"rank0/loss": [(step, float(step)) for step in range(STEPS)]}


LOADING = """
import runcast, torch
class Data(torch.utils.data.Dataset):
    def __init__(self, run): self.run = run
    def __len__(self): return 16
    def __getitem__(self, index):
        self.run.log({{"index": index}}, step=index)
        return index
if __name__ == "__main__":
    for method, workers in (("fork", 4), ("forkserver", 2), ("spawn", 2)):
        with runcast.start(method, backends=["fake"], config={config!r}) as run:
            loader = torch.utils.data.DataLoader(
                Data(run), num_workers=workers, multiprocessing_context=method)
            for batch in loader:
                run.log({{"batch": int(batch)}}, step=100 + int(batch))
        print(run.id, run.report().status)
"""


@pytest.mark.fault(
    "F20",
    how="torch's DataLoader with workers by fork, forkserver and spawn; workers and script log to one run",
    outcome="no hang; every record in one run, once",
)
def test_data_loaders_of_every_kind_log_to_the_run(fake: Any) -> None:
    """Nothing of what the workers said is missing or twice, and the run ends with its owner."""
    Path("loading.py").write_text(textwrap.dedent(LOADING.format(config=fake.config(finish_timeout=60.0))))
    done = subprocess.run(
        [sys.executable, "loading.py"], capture_output=True, text=True, cwd=fake.root, timeout=180
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    until(lambda: find_pending(Layout(fake.root / "rc"), {}) == [], 60.0)

    assert [status for _, status in lines] == ["finished"] * 3
    for run, _ in lines:
        assert sorted(fake.steps(run)) == [*range(16), *range(100, 116)]
