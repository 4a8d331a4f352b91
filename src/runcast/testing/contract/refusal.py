"""What a tracker will never take goes aside alone, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from runcast.records import Artifact, FileRef, Metrics
from runcast.testing import hostile
from runcast.testing.contract.base import Kit, Make
from runcast.testing.golden import Story


def _around(poison: Callable[[Story], object]) -> Story:
    story = Story().start().metrics(0, loss=1.0).artifact("fine", {"f": b"1"})
    poison(story)
    return story.metrics(1, loss=0.5).artifact("also fine", {"g": b"2"}).finish()


def _artifact(*files: FileRef) -> Callable[[Story], Story]:
    return lambda story: story.say(Artifact, name="poison", type="file", files=list(files), digest="ab" * 32)


def _cut(story: Story) -> None:
    half = story.file("half", b"hal")
    _artifact(msgspec.structs.replace(half, size=half.size + 3))(story)


PRIVATE, CONTENT = "diary.txt", b"dear diary"
"""A file in the project's folder that nobody has logged."""

POISONS: dict[str, Callable[[Story], object]] = {
    "step beyond int64": lambda story: story.say(Metrics, step=2**63, values={"far": 1.0, "away": 2.0}),
    "step far below": lambda story: story.say(Metrics, step=-(10**30), values={"far": 1.0}),
    "missing content": _artifact(FileRef("gone", "0" * 64, 5)),
    "content that was cut": _cut,
    "digest that is a path": _artifact(FileRef("x", f"../{PRIVATE}", len(CONTENT))),
}


class Refusal(Kit):
    """Batches with something in them that cannot be."""

    @pytest.mark.parametrize("poison", POISONS)
    def test_a_rejection_leaves_no_trace(self, carry: Make, poison: str) -> None:
        """The rest of the batch arrives once, whether the process lived through the refusal or not."""
        for dies in (False, True):
            courier = carry(_around(POISONS[poison]))
            (courier.root / PRIVATE).write_bytes(CONTENT)
            if dies:
                courier.carry(courier.records, acknowledge=False)
                courier.rejected.clear()
                courier.crash()
            courier.carry(courier.records)
            courier.close()

            assert len(courier.rejected) <= 2, "more was refused than the poison"
            self.check_refused(courier)

    @pytest.mark.parametrize("path", hostile.ESCAPES)
    def test_no_path_leads_out_of_an_artifact(self, carry: Make, path: str) -> None:
        """A file that would land elsewhere is refused, or kept inside under another name."""
        story = Story().start()
        bait = story.file("bait", b"bait for " + path.encode())
        story.said.clear()
        evil = _artifact(msgspec.structs.replace(bait, path=path))
        whole = _around(evil)
        whole.files |= story.files
        courier = carry(whole)
        outside = courier.root.parent
        before = {p.name for p in outside.iterdir()}
        courier.carry(courier.records)
        courier.close()

        assert {p.name for p in outside.iterdir()} == before, "something was written outside the project"
        self.check_refused(courier)

    def check_refused(self, courier: object) -> None:
        """All but the poison is there."""
        from runcast.testing.courier import Courier

        assert isinstance(courier, Courier)
        if courier.rejected:
            self.check(courier)
            return
        # Taken after all: then in whatever form, but without harm to the others.
        seen = self.read_back(courier.context())
        if self.view(courier).holds("metrics"):
            assert [value for *_, value in (seen.metrics or {}).get("loss", [])] == [1.0, 0.5]
        if self.view(courier).holds("artifacts"):
            names = {self.view(courier).said(name, ["fine", "also fine"]) for name in seen.artifacts or {}}
            assert {"fine", "also fine"} <= names
            kept = [content for files in (seen.artifacts or {}).values() for content in files.values()]
            assert CONTENT not in kept, "a digest led the backend to a file that nobody logged"
