"""The kit finds out backends that break their promise, each by the test that is made for it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import hypothesis
import msgspec
import pytest

from runcast.errors import Retry
from runcast.plugins import Capabilities, OpenRun, Options, Receipt, Ref, mapped, native
from runcast.records import Artifact, Metrics, Params, Record, Tags
from runcast.testing import STORIES, BackendContract, Courier, MemoryBackend, ReadBack
from runcast.testing.compare import single
from runcast.testing.memory import MemoryOptions

EVERYTHING = MemoryBackend.capabilities
Run = Callable[..., None]


class Altered(MemoryBackend):
    """Holds something else than it was given."""

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        super().deliver([altered for record in batch for altered in self.alter(record)])
        return Receipt()

    def alter(self, record: Record) -> list[Record]:
        return [record]


class Doubler(Altered):
    numbers = itertools.count(1)

    def alter(self, record: Record) -> list[Record]:
        return [msgspec.structs.replace(record, seq=next(self.numbers))]


class Loser(Altered):
    def alter(self, record: Record) -> list[Record]:
        return [] if isinstance(record, Tags) else [record]


class Renamer(Altered):
    def alter(self, record: Record) -> list[Record]:
        if isinstance(record, Params):
            values = {key.replace("/", "_"): value for key, value in record.values.items()}
            return [msgspec.structs.replace(record, values=values)]
        return [record]


class Rounder(Altered):
    def alter(self, record: Record) -> list[Record]:
        if isinstance(record, Metrics):
            values = {k: single(v) if isinstance(v, float) else v for k, v in record.values.items()}
            return [msgspec.structs.replace(record, values=values)]
        return [record]


class HonestRounder(Rounder):
    capabilities = EVERYTHING.model_copy(update={"float64": mapped("as float32")})


class Late(Altered):
    def alter(self, record: Record) -> list[Record]:
        if isinstance(record, Metrics):
            return [msgspec.structs.replace(record, time=record.time // 1_000_000 * 1_000_000)]
        return [record]


class Hoarder(MemoryBackend):
    """Says yes, and writes at the end."""

    def open(self, run: OpenRun) -> Ref:
        self.kept: list[Record] = []
        return super().open(run)

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        self.kept += batch
        return Receipt()

    def close(self) -> None:
        super().deliver(self.kept)


class Forgetful(MemoryBackend):
    """Makes a run at each opening."""

    numbers = itertools.count(1)

    def open(self, run: OpenRun) -> Ref:
        return Ref(id=f"{super().open(run).id}-{next(self.numbers)}")


class Tuples(MemoryBackend):
    """Remembers what JSON cannot."""

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        self._run.state["last"] = (1, 2)
        return super().deliver(batch)


class Trusting(MemoryBackend):
    """Reads whatever a digest leads to."""

    def _check(self, record: Artifact) -> None:
        return None


class TalkerOptions(MemoryOptions):
    uri: str = "http://127.0.0.1"


class Talker(MemoryBackend):
    """Repeats the password."""

    Options: ClassVar[type[Options]] = TalkerOptions

    def open(self, run: OpenRun) -> Ref:
        if "@" in self.options.uri:
            raise Retry(f"cannot reach {self.options.uri}")
        return super().open(run)


class Litterer(MemoryBackend):
    """Leaves a copy for everybody to read."""

    def open(self, run: OpenRun) -> Ref:
        run.resolve("copy.txt").write_text("secret curve")
        return super().open(run)


class Lenient(MemoryBackend):
    """Takes any option."""

    class Options(MemoryOptions):
        model_config: ClassVar[Any] = {"extra": "ignore"}


class Mute(MemoryBackend):
    capabilities = Capabilities()


class Terse(MemoryBackend):
    capabilities = Capabilities(metrics=native(), params=mapped(""))


def contract_of(kind: type[MemoryBackend], **attributes: Any) -> BackendContract:
    """The kit for one of these."""

    class Contract(BackendContract):
        backend = kind

        def read_back(self, run: OpenRun) -> ReadBack:
            return MemoryBackend.read_back(run.id)

    for name, value in attributes.items():
        setattr(Contract, name, value)
    return Contract()


@pytest.fixture
def carrying(tmp_path: Path) -> Iterator[Callable[[BackendContract], Any]]:
    """What the kit's own fixture gives."""
    made: list[Courier] = []

    def for_(contract: BackendContract) -> Any:
        def make(story: Any, **fields: Any) -> Courier:
            made.append(contract.courier(tmp_path, story, **fields))
            return made[-1]

        return make

    yield for_
    for courier in made:
        courier.bury()


@pytest.mark.parametrize(
    ("kind", "test", "arguments", "words"),
    [
        (Doubler, "test_everything_twice", ["training"], "points at step"),
        (Doubler, "test_the_state_is_lost", [1000], "points at step"),
        (Doubler, "test_death_between_delivery_and_acknowledgement_at_each_point", [1], "points at step"),
        (Loser, "test_a_story_arrives_whole", ["varied"], "tag 't': missing; no change reports it"),
        (Loser, "test_the_reader_sees_what_the_capabilities_promise", [], "finds no tags"),
        (Renamer, "test_a_story_arrives_whole", ["training"], "param 'opt/beta': missing"),
        (Rounder, "test_a_story_arrives_whole", ["training"], "not 0.1"),
        (Late, "test_a_story_arrives_whole", ["small"], "time 17"),
        (Hoarder, "test_everything_twice", ["small"], None),
        (Hoarder, "test_death_between_delivery_and_acknowledgement_at_each_point", [3], "missing"),
        (Forgetful, "test_opening_again_makes_no_second_run", [], "several ids"),
        (Forgetful, "test_the_state_is_lost", [1], "a second run"),
        (Tuples, "test_a_story_arrives_whole", ["small"], "does not survive JSON"),
        (Litterer, "test_files_are_private", [], "copy.txt"),
    ],
)
def test_a_liar_is_found_out(
    carrying: Any, tmp_path: Path, kind: Any, test: str, arguments: list[Any], words: str | None
) -> None:
    """The failure says which name differs and how; without words: this test alone need not find it."""
    contract = contract_of(kind)
    given = [tmp_path] if test == "test_files_are_private" else []
    call = getattr(contract, test)
    if words is None:
        call(*given, carrying(contract), *arguments)
        return
    with pytest.raises(AssertionError, match=words):
        call(*given, carrying(contract), *arguments)


def test_what_is_declared_may_differ(carrying: Any) -> None:
    """Float32 and whole milliseconds pass where capabilities and resolution say so."""
    rounder, late = contract_of(HonestRounder), contract_of(Late, time_resolution=1_000_000)

    rounder.test_a_story_arrives_whole(carrying(rounder), "training")
    late.test_a_story_arrives_whole(carrying(late), "small")


def test_a_password_in_a_message_is_heard(carrying: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """An error that repeats a URL with its password fails the kit."""
    contract = contract_of(Talker, url_option="uri")

    with pytest.raises(AssertionError):
        contract.test_no_secret_comes_out(tmp_path, carrying(contract), monkeypatch)


def test_an_early_import_is_seen() -> None:
    """A package that is loaded with the backend's module is named."""
    contract = contract_of(MemoryBackend, sdk=("msgspec", "torch"))

    with pytest.raises(AssertionError, match="msgspec"):
        contract.test_no_sdk_is_imported_before_open()


def test_lenient_options_and_mute_capabilities_fail(tmp_path: Path) -> None:
    """Unknown options must be refused, something declared, and a lesser form explained."""
    with pytest.raises(pytest.fail.Exception):
        contract_of(Lenient).test_options_refuse_unknown_names(tmp_path)
    with pytest.raises(AssertionError, match="no capability"):
        contract_of(Mute).test_capabilities_are_declared()
    with pytest.raises(AssertionError, match="becomes of: params"):
        contract_of(Terse).test_capabilities_are_declared()


def test_what_is_not_declared_must_be_reported(carrying: Any) -> None:
    """A backend that declares nothing and reports nothing drops in silence: each name is listed."""
    contract = contract_of(Mute)

    with pytest.raises(AssertionError, match=r"metrics 'loss': metrics is declared notimpl"):
        contract.test_a_story_arrives_whole(carrying(contract), "small")


def test_a_file_that_nobody_logged_is_missed_by_no_one(carrying: Any) -> None:
    """A digest that is a path into the user's files must not be followed."""
    contract = contract_of(Trusting)

    with pytest.raises(AssertionError, match="nobody logged"):
        contract.test_a_rejection_leaves_no_trace(carrying(contract), "digest that is a path")


def test_random_histories_find_a_doubler(tmp_path: Path) -> None:
    """Neither the state machine nor random batches need a story of ours to see a point twice."""
    quick = hypothesis.settings(
        max_examples=10, deadline=None, derandomize=True, database=None, phases=[hypothesis.Phase.generate]
    )
    contract = contract_of(Doubler, _settings=lambda self, share=1.0: quick)
    with pytest.raises(AssertionError, match="what was delivered and what the tracker holds"):
        contract.test_any_history(tmp_path)
    with pytest.raises(AssertionError, match="what was delivered and what the tracker holds"):
        contract.test_any_batches(tmp_path)


def test_every_story_is_valid() -> None:
    """Stories are told anew each time, begin with a start, and their times only grow."""
    for tell in STORIES.values():
        said = tell().said
        times = [record.time for _, record in said]
        assert times == sorted(set(times))
        assert tell().said == said or "values" in tell.__name__  # NaN equals nothing
