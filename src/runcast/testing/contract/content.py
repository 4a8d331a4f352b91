"""What was said is what the tracker holds."""

from __future__ import annotations

import pytest

from runcast.plugins import Ref
from runcast.testing.contract.base import Kit, Make
from runcast.testing.golden import STORIES, small, training, varied
from runcast.testing.readback import ReadBack


class Content(Kit):
    """Runs without accidents."""

    @pytest.mark.parametrize("story", STORIES)
    def test_a_story_arrives_whole(self, carry: Make, story: str) -> None:
        """Everything that was said is in the tracker, as declared; what changed is reported."""
        self.check(carry(STORIES[story]()).play())

    @pytest.mark.parametrize("story", ["varied", "steps", "resumed"])
    def test_the_size_of_batches_does_not_matter(self, carry: Make, story: str) -> None:
        """One record at a time gives the same run as all at once."""
        self.check(carry(STORIES[story]()).play(size=1))

    def test_the_reader_sees_what_the_capabilities_promise(self, carry: Make) -> None:
        """`read_back` finds something in each declared field; a kit that sees nothing proves nothing."""
        courier = carry(varied()).play()
        seen = self.read_back(courier.context())

        assert isinstance(seen, ReadBack)
        for field, feature in (
            ("metrics", "metrics"),
            ("params", "params"),
            ("tags", "tags"),
            ("note", "notes"),
        ):
            if self.view(courier).holds(feature):
                assert getattr(seen, field), f"read_back() finds no {field}, which are declared"

    def test_a_child_stands_below_its_parent(self, carry: Make) -> None:
        """A nested run points to its parent by the tracker's own id, and is a run of its own."""
        parent = carry(small())
        ref = parent.open()
        child = carry(training().renamed(name="child", parent=parent.id), parent=Ref(id=ref.id, url=ref.url))
        assert child.open().id != ref.id, "the child has its parent's id"
        child.play()
        parent.play()

        self.check(child)
        self.check(parent)

    def test_runs_of_one_name_do_not_mix(self, carry: Make) -> None:
        """Two runs with the same experiment and name, delivered by turns, stay two."""
        one, two = carry(training()), carry(varied())
        assert one.open().id != two.open().id, "two runs got one id"
        for first, second in zip(one.records, two.records, strict=False):
            one.deliver([first])
            two.deliver([second])
        one.deliver(one.records[len(two.records) :])
        one.close()
        two.close()

        self.check(one)
        self.check(two)

    def test_a_run_that_goes_on_can_be_read(self, carry: Make) -> None:
        """Without the run's end everything acknowledged is there; the rest follows, whoever delivers it."""
        courier = carry(training())
        half = len(courier.records) // 2
        courier.play(records=courier.records[:half])
        self.check_unfinished(courier, courier.records[:half])

        courier.play(records=courier.records[half:])
        self.check(courier)
