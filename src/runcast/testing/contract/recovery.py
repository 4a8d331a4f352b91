"""Whatever dies, nothing is lost and nothing is there twice."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from runcast.testing import strategies
from runcast.testing.contract.base import Kit, Make
from runcast.testing.golden import PLAIN, STORIES, Story, resumed, training, varied
from runcast.testing.machine import machine


class Recovery(Kit):
    """Runs whose courier dies, forgets, or hands over."""

    def _settings(self, share: float = 1.0) -> hypothesis.settings:
        return hypothesis.settings(
            max_examples=max(1, round(self.examples * share)),
            stateful_step_count=10,
            deadline=None,  # a tracker on disk takes its time
            derandomize=True,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )

    @pytest.mark.parametrize("story", PLAIN)
    def test_everything_twice(self, carry: Make, story: str) -> None:
        """Delivered, not written down, delivered again by another process: as if once."""
        courier = carry(STORIES[story]())
        courier.deliver(courier.records, acknowledge=False)
        courier.crash()
        courier.play()

        self.check(courier)

    @pytest.mark.parametrize("size", [1, 3])
    def test_death_between_delivery_and_acknowledgement_at_each_point(self, carry: Make, size: int) -> None:
        """Every record in turn arrives unremembered, some with their followers, and then again."""
        courier = carry(varied())
        for at, record in enumerate(courier.records):
            courier.deliver(courier.records[at : at + size], acknowledge=False)
            courier.crash()
            courier.deliver([record])
            courier.crash()
        courier.open()
        courier.close()

        self.check(courier)

    def test_death_between_the_parts_of_a_record(self, carry: Make) -> None:
        """A record that is sent name by name, because a neighbour was refused, arrives whole and once."""
        from runcast.records import split

        courier = carry(varied())
        for record in courier.records:
            for part in split(record):
                courier.deliver([part], acknowledge=False)
                courier.crash()
            courier.deliver([record])
        courier.close()

        self.check(courier)

    @pytest.mark.parametrize("size", [1, 1000])
    def test_the_state_is_lost(self, carry: Make, size: int) -> None:
        """A courier without a memory finds the run again, sends everything, and changes nothing."""
        courier = carry(varied())
        first = courier.open()
        courier.deliver(courier.records)
        courier.lose_state()

        assert courier.open().id == first.id, "a second run was made"
        courier.play(size)
        self.check(courier)

    def test_the_state_is_lost_half_way(self, carry: Make) -> None:
        """The same in the middle of a run that was resumed."""
        courier = carry(resumed())
        courier.deliver(courier.records[:5])
        courier.deliver(courier.records[5:6], acknowledge=False)
        courier.lose_state()
        courier.play(2)

        self.check(courier)

    def test_opening_again_makes_no_second_run(self, carry: Make) -> None:
        """Each new process is told the same id, before, amid and after the run."""
        courier = carry(varied())
        ids = {courier.open().id, courier.open().id}
        for record in courier.records:
            courier.deliver([record])
        courier.close()
        ids.add(courier.open().id)
        courier.close()

        assert len(ids) == 1, f"one run, several ids: {sorted(ids)}"
        self.check(courier)

    def test_an_end_that_was_not_the_end(self, carry: Make) -> None:
        """What is said after the run's end, by a process that lived longer, arrives too."""
        story = training()
        story.metrics(99, "worker", late=1.0)
        courier = carry(story)
        courier.play(records=courier.records[:-1])
        courier.play(records=courier.records[-1:])

        self.check(courier)

    def test_any_batches(self, tmp_path: Path) -> None:
        """Random stories in random batches, some of which arrive twice."""

        @hypothesis.settings(self._settings())
        @hypothesis.given(strategies.stories(), st.data())
        def property_(story: Story, data: st.DataObject) -> None:
            courier = self.courier(Path(tempfile.mkdtemp(dir=tmp_path)), story)
            try:
                at = 0
                while at < len(courier.records):
                    size, twice = data.draw(st.tuples(st.integers(1, 8), st.booleans()), label="size, twice")
                    batch = courier.records[at : at + size]
                    if twice:
                        courier.carry(batch[: data.draw(st.integers(1, size))], acknowledge=False)
                        courier.rejected.clear()
                        courier.crash()
                    courier.carry(batch)
                    at += size
                courier.close()
                self.check(courier)
            finally:
                courier.bury()

        property_()

    def test_any_history(self, tmp_path: Path) -> None:
        """Random deliveries, deaths, hand-overs and losses, compared with the oracle."""
        run_state_machine_as_test(machine(self, tmp_path), settings=self._settings(0.7))  # type: ignore[arg-type]  # the whole kit, once it is put together
