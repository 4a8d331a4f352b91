"""The conformance kit for sources: `SourceContract`.

class TestAcme(SourceContract):
    def source(self, tmp_path):
        return AcmeSource(str(tmp_path / "acme"))

    def write(self, tmp_path, story):                       # with the tracker's own tools, or the backend
        return self.deliver(AcmeBackend, {"folder": "acme"}, tmp_path, story)
"""

from __future__ import annotations

import itertools
import stat
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runcast import codec
from runcast.errors import ConfigError, SourceError
from runcast.journal import Blobs
from runcast.plugins import Backend
from runcast.plugins.manager import unusable
from runcast.plugins.source import FoundRun, Selection, Source
from runcast.records import Lost, Metrics, Params, Record, RunFinished, RunStarted
from runcast.testing.courier import Courier
from runcast.testing.golden import START, Story, small, training, varied

Files = dict[str, tuple[int, int, bytes]]


class SourceContract:
    """Everything that a source promises; see `runcast.plugins.source`.

    Subclass it, with a name that pytest collects; supply `source` and `write`; the rest only where the
    defaults do not fit.
    """

    points: ClassVar[int] = 40_000
    """Points of a long run, which must be read in little memory: all at once they take more than that."""
    most_memory: ClassVar[int] = 16 << 20
    """Bytes that reading the long run may take at once, beyond what a short one takes."""

    def source(self, tmp_path: Path) -> Source:
        """A source of the store below this folder; a new instance on each call."""
        raise NotImplementedError(f"{type(self).__name__} lacks source(tmp_path)")

    def write(self, tmp_path: Path, story: Story) -> str:
        """Make the tracker hold one more run that says this story, made of experiment, name, params, tags and
        metrics; gives the tracker's id of the run."""
        raise NotImplementedError(f"{type(self).__name__} lacks write(tmp_path, story)")

    def extend(self, tmp_path: Path, run: str, story: Story) -> None:
        """Make the tracker hold more metrics of a run that `write` gave the id of."""
        pytest.skip("the kit was not told how a run of this tracker grows: supply extend()")

    def store(self, tmp_path: Path) -> Path:
        """The folder or file that holds the store; all of `tmp_path` where nothing else is said."""
        return tmp_path

    def damage(self, tmp_path: Path) -> None:
        """Break the store: here, every file loses its second half, and gets some noise instead."""
        for path in _files(self.store(tmp_path)):
            path.chmod(0o600)
            data = path.read_bytes()
            path.write_bytes(data[: len(data) // 2] + b"\xff\0noise")

    def deliver(self, backend: type[Backend], options: Mapping[str, Any], root: Path, story: Story) -> str:
        """What `write` may do where the tracker has a backend: deliver the story; gives the tracker's id."""
        courier = Courier(backend, options, root, story)
        courier.play()
        assert courier.ref is not None
        return courier.ref.id

    # What the tests are made of.

    def _read(self, tmp_path: Path, run: str, name: str = "kept") -> list[Record]:
        source = self.source(tmp_path)
        try:
            (found,) = source.runs(Selection(runs=(run,)))
            return list(source.read(found, Blobs(self._aside(tmp_path) / name)))
        finally:
            source.close()

    def _aside(self, tmp_path: Path) -> Path:
        """Beside the store, so that it stays as it is."""
        folder = tmp_path.parent / f"{tmp_path.name}-aside"
        folder.mkdir(exist_ok=True)
        return folder

    def test_it_is_a_source(self, tmp_path: Path) -> None:
        """The plugin manager takes it, and making an instance touches nothing."""
        before = _state(tmp_path)
        assert unusable(type(self.source(tmp_path)), Source) == ""
        assert _state(tmp_path) == before

    def test_the_identity_stays(self, tmp_path: Path) -> None:
        """The same for every instance and before and after reading, or each migration brings all again."""
        run = self.write(tmp_path, small())
        before = self.source(tmp_path).identity
        self._read(tmp_path, run)

        assert before
        assert self.source(tmp_path).identity == before

    def test_two_readings_are_equal(self, tmp_path: Path) -> None:
        """By two instances: the same runs, the same records in the same order, the same files."""
        run = self.write(tmp_path, varied())
        found = [self._found(tmp_path) for _ in range(2)]
        one, two = (self._read(tmp_path, run, name) for name in ("one", "two"))

        assert found[0] == found[1]
        assert _spelled(one) == _spelled(two)
        kept = [_contents(self._aside(tmp_path) / name) for name in ("one", "two")]
        assert kept[0] == kept[1]

    def test_what_was_there_keeps_its_order(self, tmp_path: Path) -> None:
        """When a run grew, its earlier points come first, as before; its version is another."""
        run = self.write(tmp_path, training())
        before, version = _points(self._read(tmp_path, run)), self._found(tmp_path)[run].version
        self.extend(tmp_path, run, Story().metrics(900, train__loss=9.0).metrics(901, train__loss=8.0))
        after, now = _points(self._read(tmp_path, run)), self._found(tmp_path)[run].version

        for key, points in before.items():
            assert after[key][: len(points)] == points, f"{key}: the earlier points changed"
        assert [value for *_, value in after["train/loss"][-2:]] == [9.0, 8.0]
        assert now != version or not version

    def test_reading_changes_nothing(self, tmp_path: Path) -> None:
        """No byte, no mode and no time of change of any file of the store, and no new file."""
        run = self.write(tmp_path, varied())
        before = _state(self.store(tmp_path))
        self._found(tmp_path)
        self._read(tmp_path, run)

        assert _state(self.store(tmp_path)) == before

    def test_it_begins_and_ends(self, tmp_path: Path) -> None:
        """``RunStarted`` first, with where it comes from; ``RunFinished`` last; no record names a writer."""
        run = self.write(tmp_path, training())
        first, *_, last = records = self._read(tmp_path, run)

        assert isinstance(first, RunStarted)
        assert isinstance(last, RunFinished)
        assert (first.run, first.backends) == ("", {})
        assert {"tracker", "id"} <= first.origin.keys(), "the origin says neither tracker nor id"
        assert {(record.writer, record.seq) for record in records} == {("", 0)}

    def test_what_was_said_comes_back(self, tmp_path: Path) -> None:
        """Every point with its step and value, each param, and how it ended."""
        run = self.write(tmp_path, small())
        records = self._read(tmp_path, run)

        points = {key: [(step, value) for step, _, value in found] for key, found in _points(records).items()}
        params = {k: v for record in records if isinstance(record, Params) for k, v in record.values.items()}
        assert points == {"loss": [(0, 1.0), (1, 0.5)]}
        assert {key: str(value) for key, value in params.items()} == {"lr": "0.1", "optimizer": "sgd"}
        assert getattr(records[-1], "status", "") == "finished"

    def test_selection(self, tmp_path: Path) -> None:
        """By id, by a glob over experiments, and by time; nothing is everything."""
        one = self.write(tmp_path, small())
        two = self.write(tmp_path, training().renamed(experiment="other", name="second"))

        assert set(self._found(tmp_path)) == {one, two}
        assert set(self._found(tmp_path, runs=(two,))) == {two}
        assert set(self._found(tmp_path, experiment="oth*")) == {two}
        assert set(self._found(tmp_path, experiment="nothing")) == set()
        assert set(self._found(tmp_path, since=START - 1)) == {one, two}
        latest = max(run.started or START for run in self._found(tmp_path).values())
        late = self._found(tmp_path, since=latest + 10**9)
        assert all(run.started is None for run in late.values())

    def test_a_run_that_is_not_there(self, tmp_path: Path) -> None:
        """Is not found, and reading it is an error that says so."""
        self.write(tmp_path, small())
        assert self._found(tmp_path, runs=("no-such-run",)) == {}
        source = self.source(tmp_path)
        with pytest.raises(SourceError):
            list(
                source.read(FoundRun(id="no-such-run", experiment="", name=""), Blobs(self._aside(tmp_path)))
            )
        source.close()

    def test_a_damaged_store(self, tmp_path: Path) -> None:
        """Is said: an error of runcast's, a `Lost` record, or less than was there; nothing is made up."""
        run = self.write(tmp_path, training())
        whole = _points(self._read(tmp_path, run))
        self.damage(tmp_path)
        before = _state(self.store(tmp_path))
        records: list[Record] = []
        source = self.source(tmp_path)
        try:
            for found in list(source.runs(Selection())):
                for record in source.read(found, Blobs(self._aside(tmp_path) / "damaged")):
                    records.append(record)
        except (SourceError, ConfigError, OSError) as error:
            said = str(error)
        else:
            said = next((record.reason for record in records if isinstance(record, Lost)), "")
        finally:
            source.close()
        assert said or _points(records) != whole, "what is damaged came back as if it were whole"
        for key, points in _points(records).items():
            assert set(points) <= set(whole.get(key, [])), f"{key}: points that nobody has logged"
        assert _state(self.store(tmp_path)) == before, "a damaged store was changed"

    def test_a_long_run_needs_little_memory(self, tmp_path: Path) -> None:
        """The records come as a stream: memory does not grow with the run."""
        story = Story().start(name="long")
        for step in range(self.points):
            story.metrics(step, loss=step * 0.5)
        short, long = self.write(tmp_path, small()), self.write(tmp_path, story.finish())
        self._weigh(tmp_path, short)
        base, few = self._weigh(tmp_path, short)
        peak, many = self._weigh(tmp_path, long)

        assert (few, many) == (2, self.points)
        assert peak - base < self.most_memory, f"{peak - base} bytes for {self.points} points"

    def _weigh(self, tmp_path: Path, run: str) -> tuple[int, int]:
        """Bytes at the peak of reading a run, and how many points came."""
        source = self.source(tmp_path)
        (found,) = source.runs(Selection(runs=(run,)))
        tracemalloc.start()
        try:
            records = source.read(found, Blobs(self._aside(tmp_path) / "weighed"))
            points = sum(len(record.values) for record in records if isinstance(record, Metrics))
            return tracemalloc.get_traced_memory()[1], points
        finally:
            tracemalloc.stop()
            source.close()

    def test_closing_lets_go(self, tmp_path: Path) -> None:
        """No file of the store stays open, even where reading was broken off; asked again, it answers."""
        run = self.write(tmp_path, training())
        before = _open_files(self.store(tmp_path))
        source = self.source(tmp_path)
        (found,) = source.runs(Selection(runs=(run,)))
        records = source.read(found, Blobs(self._aside(tmp_path) / "begun"))
        assert len(list(itertools.islice(records, 2))) == 2
        if hasattr(records, "close"):
            records.close()
        source.close()

        assert _open_files(self.store(tmp_path)) == before
        assert [again.id for again in source.runs(Selection(runs=(run,)))] == [run]
        source.close()
        assert _open_files(self.store(tmp_path)) == before

    def _found(self, tmp_path: Path, **selection: Any) -> dict[str, FoundRun]:
        source = self.source(tmp_path)
        try:
            return {run.id: run for run in source.runs(Selection(**selection))}
        finally:
            source.close()


def _spelled(records: list[Record]) -> list[bytes]:
    return [codec.encode(record) for record in records]


def _points(records: list[Record]) -> dict[str, list[tuple[int, int, Any]]]:
    found: dict[str, list[tuple[int, int, Any]]] = {}
    for record in records:
        if isinstance(record, Metrics):
            for key, value in record.values.items():
                found.setdefault(key, []).append(
                    (record.step, record.time, repr(value) if value != value else value)
                )
    return found


def _files(root: Path) -> list[Path]:
    paths = [root] if root.is_file() else sorted(root.rglob("*"))
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def _state(root: Path) -> Files:
    """Mode, time of change and content of every file."""
    found: Files = {}
    for path in _files(root):
        about = path.stat()
        found[str(path)] = (stat.S_IMODE(about.st_mode), about.st_mtime_ns, path.read_bytes())
    return found


def _contents(root: Path) -> set[str]:
    return {path.name for path in _files(root)}


def _open_files(root: Path) -> list[str]:
    """Files of the store that this process has open (Linux; elsewhere none is seen)."""
    found = []
    folder = Path("/proc/self/fd")
    for link in folder.iterdir() if folder.is_dir() else ():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith(str(root.resolve())):
            found.append(target)
    return sorted(found)
