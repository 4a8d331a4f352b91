"""From a source into a journal: whole, once, and no more than is new."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcast.errors import SourceError
from runcast.journal import JournalReader, Layout, ProcessLock
from runcast.migrate.content import Content
from runcast.migrate.stage import Staged, stage
from runcast.plugins.source import Selection
from runcast.records import Input, Metrics, Note, Params, Record, RunFinished, RunStarted, Tags

from .toy import Toy, a_run


class Shelf:
    """A folder of journals, and a source to fill it from."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.lock = ProcessLock(self.layout.alive)
        self.source = Toy()

    def stage(self, id_: str = "a") -> Staged:
        """Stage one run."""
        (found,) = self.source.runs(Selection(runs=(id_,)))
        return stage(self.layout, self.source, found, process=self.lock.name)

    def journal(self, run: str) -> list[Record]:
        """What the journal holds, without writers."""
        reader = JournalReader(self.layout.journal(run), run=run)
        records: list[Record] = []
        while batch := reader.read():
            records += batch
        return [msgspec.structs.replace(record, writer="", seq=0) for record in records]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty one."""
    return Shelf(tmp_path)


def test_every_record_arrives(shelf: Shelf) -> None:
    """What the source said stands in the journal, in its order, with its times."""
    shelf.source.runs_["a"] = a_run()
    staged = shelf.stage()
    journal = shelf.journal(staged.run)
    assert journal[1:] == shelf.source.runs_["a"][1:]
    assert (staged.added, staged.points) == (9, 10)
    assert isinstance(journal[0], RunStarted)
    assert journal[0].run == staged.run


def test_a_second_time_nothing_is_written(shelf: Shelf) -> None:
    """No byte of the journal's folder changes."""
    shelf.source.runs_["a"] = a_run()
    run = shelf.stage().run
    before = {path.name: path.read_bytes() for path in shelf.layout.journal(run).iterdir()}
    assert shelf.stage().added == 0
    assert {path.name: path.read_bytes() for path in shelf.layout.journal(run).iterdir()} == before


def test_only_what_grew_is_added(shelf: Shelf) -> None:
    """New points, a new param, a changed tag; the run is still over, once more."""
    shelf.source.runs_["a"] = a_run(points=5)
    shelf.stage()
    shelf.source.runs_["a"] = a_run(points=8, depth=3)
    shelf.source.runs_["a"].insert(3, Tags(time=1_700_000_000_000_000_003, values={"a": "c"}))
    staged = shelf.stage()
    assert staged.points == 6
    journal = shelf.journal(staged.run)
    assert isinstance(journal[-1], RunFinished)
    assert Content.of(journal).series == Content.of(shelf.source.runs_["a"]).series
    assert Content.of(journal).params == {"lr": 0.1, "depth": 3}
    assert Content.of(journal).tags == {"a": "c"}


@pytest.mark.parametrize("breaks", range(9))
def test_broken_off_anywhere_nothing_of_it_stays(shelf: Shelf, breaks: int) -> None:
    """A source that fails at any record, and then does not, gives the same as one that never failed."""
    shelf.source.runs_["a"] = a_run()
    shelf.source.breaks["a"] = breaks
    with pytest.raises(SourceError):
        shelf.stage()
    shelf.source.breaks.clear()
    assert not list(shelf.layout.runs.rglob("*.rcj"))
    staged = shelf.stage()
    content = Content.of(shelf.journal(staged.run))
    expected = Content.of(shelf.source.runs_["a"])
    assert (content.series, content.params, content.tags) == (expected.series, expected.params, expected.tags)
    assert content.head["status"] == "finished"
    assert staged.added == 9


def test_a_point_that_is_gone_from_the_source_is_told(shelf: Shelf) -> None:
    """What was brought once stays, and is counted."""
    shelf.source.runs_["a"] = a_run(points=5)
    shelf.stage()
    shelf.source.runs_["a"] = [r for r in a_run(points=5) if not (isinstance(r, Metrics) and r.step == 2)]
    staged = shelf.stage()
    assert staged.gone == {"x": 1, "n": 1}
    assert staged.added == 0


def test_a_tag_that_is_gone_from_the_source_is_told(shelf: Shelf) -> None:
    """By its name, as often as the source is read; what is in the journal stays."""
    run = a_run(depth=3)
    shelf.source.runs_["a"] = run
    shelf.stage()
    shelf.source.runs_["a"] = [r for r in a_run() if not isinstance(r, Tags)]
    assert shelf.stage().unsaid == ["param depth", "tag a"]
    assert Content.of(shelf.journal(shelf.stage().run)).tags == {"a": "b"}
    shelf.source.runs_["a"] = run
    assert shelf.stage().unsaid == []


def test_equal_points_are_not_one(shelf: Shelf) -> None:
    """A source that holds a point twice has it twice in the journal, and no third time later."""
    run = a_run(points=1)
    shelf.source.runs_["a"] = [*run[:-1], run[-2], run[-1]]
    assert shelf.stage().points == 4
    assert shelf.stage().added == 0


def test_a_value_that_went_back_is_the_last_again(shelf: Shelf) -> None:
    """A tag that was x, then y, is x again: the journal ends with x."""
    states = []
    for value in ("x", "y", "x"):
        run = a_run()
        run[2] = Tags(time=run[2].time, values={"a": value})
        shelf.source.runs_["a"] = run
        staged = shelf.stage()
        states.append(Content.of(shelf.journal(staged.run)).tags["a"])
    assert states == ["x", "y", "x"]


def test_what_changed_within_a_run_is_not_told_again(shelf: Shelf) -> None:
    """A source that tells a tag's whole story tells nothing new the second time."""
    run = a_run()
    story = [Tags(time=run[2].time + i, values={"a": v}) for i, v in enumerate(["x", "y", "x"])]
    notes = [Note(time=run[2].time + 5 + i, text=t) for i, t in enumerate(["n", "m"])]
    params = [Params(time=run[2].time + 8, values={"lr": 0.2})]
    shelf.source.runs_["a"] = [*run[:3], *story, *notes, *params, *run[3:]]
    shelf.stage()
    assert shelf.stage().added == 0


def test_references_lead_to_the_new_ids(shelf: Shelf) -> None:
    """A parent, and a run whose artifact was used, are named by runcast's ids of them."""
    shelf.source.runs_["p"] = a_run("p")
    child = a_run("c", parent="p")
    child.insert(3, Input(time=child[0].time + 5, name="data", type="dataset", run="p"))
    shelf.source.runs_["c"] = child
    parent, staged = shelf.stage("p").run, shelf.stage("c").run
    journal = shelf.journal(staged)
    assert [r.parent for r in journal if isinstance(r, RunStarted)] == [parent]
    assert [r.run for r in journal if isinstance(r, Input)] == [parent]


def test_another_store_has_other_ids(shelf: Shelf) -> None:
    """Two stores may use the same id for different runs."""
    shelf.source.runs_["a"] = a_run()
    first = shelf.stage().run
    shelf.source.address = "another"
    assert shelf.stage().run != first


values = st.one_of(st.floats(), st.integers(), st.booleans())
rows = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(0, 3), st.dictionaries(st.sampled_from("xyz"), values)),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(first=rows, more=rows, cut=st.integers(0, 12))
def test_any_growth_and_any_break_come_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, first: list[object], more: list[object], cut: int
) -> None:
    """However a run grew and wherever reading broke, the journal ends with what the source has."""
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))

    def told(rows: list[object]) -> list[Record]:
        begin, *rest = a_run(points=0)
        points = [Metrics(time=100 + t, step=s, values=v) for s, t, v in rows if v]  # type: ignore[misc]
        return [begin, *rest[:-1], *points, rest[-1]]

    shelf.source.runs_["a"] = told(first)
    shelf.source.breaks["a"] = cut
    for _ in range(2):
        try:
            shelf.stage()
        except SourceError:
            shelf.source.breaks.clear()
    shelf.source.breaks.clear()
    shelf.source.runs_["a"] = told([*first, *more])
    staged = shelf.stage()
    assert Content.of(shelf.journal(staged.run)).series == Content.of(shelf.source.runs_["a"]).series
    assert shelf.stage().added == 0
