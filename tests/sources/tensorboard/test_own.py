"""What our own backend wrote comes back as it was said."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from runcast.backends.tensorboard import TensorBoardBackend
from runcast.journal import Blobs
from runcast.migrate.content import Content
from runcast.plugins.source import Selection
from runcast.records import RunStarted, kind
from runcast.sources.tensorboard import TensorBoardSource
from runcast.testing import strategies
from runcast.testing.courier import Courier
from runcast.testing.golden import STORIES, Story


def carried(root: Path, story: Story) -> Courier:
    """Deliver a story as the courier does."""
    courier = Courier(TensorBoardBackend, {"logdir": "runs"}, root, story)
    courier.open()
    for start in range(0, len(courier.records), 7):
        courier.carry(courier.records[start : start + 7])
    courier.close()
    return courier


def differences(courier: Courier, root: Path) -> dict[str, tuple[object, object]]:
    """What is not the same in the journal and in the folder."""
    source = TensorBoardSource(str(root / "runs"))
    (run,) = source.runs(Selection())
    assert run.runcast == courier.id
    blobs = Blobs(root / "read")
    refused = {(record.writer, record.seq) for record, _ in courier.rejected}
    said = [record for record in courier.records if (record.writer, record.seq) not in refused]
    records = list(source.read(run, blobs))
    assert isinstance(records[0], RunStarted)
    assert [kind(record) for record in records] == [kind(record) for record in said]
    for record in records:
        for file in getattr(record, "files", []):
            path = blobs.path(file.sha256)
            assert path.read_bytes() == Blobs(courier.layout.blobs).path(file.sha256).read_bytes()
    ours, theirs = vars(Content.of(said)), vars(Content.of(records))
    assert run.status == ours["head"]["status"] or len({r.writer for r in said}) > 1
    return {k: (ours[k], theirs[k]) for k in ours if repr_of(ours[k]) != repr_of(theirs[k])}


def repr_of(value):
    """NaN-proof: series as what they hold."""
    if isinstance(value, dict):
        return {key: repr_of(inner) for key, inner in sorted(value.items(), key=repr)}
    if hasattr(value, "digest") and hasattr(value, "count"):
        return value.count, value.digest
    return repr(value)


@pytest.mark.parametrize("name", STORIES)
def test_every_story_comes_back(name: str, tmp_path: Path) -> None:
    """Typed params, tags, notes, 64-bit numbers at their ns, texts, files, resumed and crashed runs."""
    courier = carried(tmp_path, STORIES[name]())

    assert differences(courier, tmp_path) == {}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(strategies.stories())
def test_whatever_a_script_says_comes_back(story: Story) -> None:
    """Content is the same for stories of any shape."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        courier = carried(root, story)
        try:
            assert differences(courier, root) == {}
        finally:
            courier.bury()
