"""Damaged, foreign and hostile input: what is whole comes, what is not is named, and nothing else happens."""

import io
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runcast import codec
from runcast.backends.tensorboard import TensorBoardBackend
from runcast.errors import ConfigError, SourceError
from runcast.formats import tfevents
from runcast.journal import Blobs
from runcast.plugins.source import Selection
from runcast.records import FileRef, Lost, Media, Metrics, Params, RunFinished, RunStarted, Tags
from runcast.sources.tensorboard import TensorBoardSource
from runcast.testing.courier import Courier
from runcast.testing.golden import STORIES

START = 1_700_000_000 * 10**9
NAME = "events.out.tfevents.1700000000.box.7.0"


def frames(points: int) -> list[bytes]:
    """A file of one scalar an event, in its frames."""
    encoder = tfevents.ScalarEncoder()
    payloads = [tfevents.version_event(START)]
    payloads += [encoder.event(START + n, n, {"x": float(n)}, []) for n in range(points)]
    return [tfevents.frame(payload) for payload in payloads]


def place(logdir: Path, content: bytes, name: str = f"a/{NAME}") -> Path:
    """Put an event file there."""
    path = logdir / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_torn_tail_costs_the_last_event(look, tmp_path: Path) -> None:
    """The rest comes; the cut is told in words that stay the same while the file grows."""
    place(tmp_path / "runs", b"".join(frames(100))[:-5])
    found = look(tmp_path / "runs")

    assert len(found.points()) == 99
    (lost,) = found.lost()
    assert "ends within an event" in lost
    assert found.of(Lost)[0].time == START


@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_flipped_byte_costs_one_event(at: int, look, tmp_path: Path) -> None:
    """In the length, in the data or in the checksum: counted, and read on behind it."""
    parts = frames(100)
    broken = bytearray(parts[50])
    broken[at] ^= 0x40
    place(tmp_path / "runs", b"".join([*parts[:50], bytes(broken), *parts[51:]]))
    found = look(tmp_path / "runs")

    assert [step for _, step, _, _ in found.points()] == [n for n in range(100) if n != 49]
    assert found.lost() == [f": {NAME} is damaged: what stood there is gone, the rest is here (1)"]


def test_a_file_that_is_written_gives_a_run_without_an_end(look, tmp_path: Path) -> None:
    """Once nothing has been written for a while, it has one, and is another version."""
    place(tmp_path / "runs", b"".join(frames(3)))
    live = look(tmp_path / "runs", live=True)

    assert live.runs["a"].status == "running"
    assert live.of(RunFinished) == []
    over = look(tmp_path / "runs")
    assert (over.runs["a"].status, over.of(RunFinished)[0].time) == ("finished", START + 2)
    assert over.runs["a"].version != live.runs["a"].version


def test_a_run_that_grew_is_another_version_and_keeps_its_order(look, tmp_path: Path) -> None:
    """What was there comes first, and the same."""
    parts = frames(5)
    path = place(tmp_path / "runs", b"".join(parts[:4]))
    before = look(tmp_path / "runs")
    path.write_bytes(b"".join(parts))
    after = look(tmp_path / "runs")

    assert after.points()[:3] == before.points()
    assert after.runs["a"].version != before.runs["a"].version


def test_wrong_addresses_name_the_mend(tmp_path: Path) -> None:
    """No folder, a file, nothing in it, a run that is gone."""
    path = place(tmp_path / "runs", b"".join(frames(1)))
    (tmp_path / "empty").mkdir()
    for address, words in (
        (tmp_path / "no", "does not exist"),
        (path, "is a file"),
        (tmp_path / "empty", "no event"),
    ):
        with pytest.raises(ConfigError, match=words):
            list(TensorBoardSource(str(address)).runs(Selection()))
    (run,) = TensorBoardSource(str(tmp_path / "runs")).runs(Selection())
    path.rename(path.with_name("events.out.tfevents.1700000009"))
    path.parent.rename(tmp_path / "runs" / "b")
    with pytest.raises(SourceError, match="holds no event files any more"):
        list(TensorBoardSource(str(tmp_path / "runs")).read(run, Blobs(tmp_path / "blobs")))


def test_a_file_that_cannot_be_read_is_the_runs_problem(tmp_path: Path) -> None:
    """Named with the mend; the others are read."""
    place(tmp_path / "runs", b"".join(frames(1)))
    bad = place(tmp_path / "runs", b"", f"b/{NAME}")
    bad.unlink()
    bad.symlink_to(bad.name)  # not even root can open a link to itself
    os.mkfifo(tmp_path / "runs/b/events.out.tfevents.5.pipe")
    source = TensorBoardSource(str(tmp_path / "runs"))
    good, broken = source.runs(Selection())

    assert (good.problem, broken.id) == ("", "b")
    assert "cannot be read" in broken.problem
    assert [
        record.step for record in source.read(good, Blobs(tmp_path / "blobs")) if isinstance(record, Metrics)
    ] == [0]
    with pytest.raises(SourceError, match="cannot be read"):
        list(source.read(broken, Blobs(tmp_path / "blobs")))


def test_a_strangers_records_lead_nowhere(look, tmp_path: Path) -> None:
    """Paths out of the run's folder are not followed, a held name means nothing, bad JSON is counted."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    sha, size = Blobs(tmp_path / "known").put_bytes(b"secret")
    file = FileRef("../../../secret.txt", sha, size, held="../../x")
    records = [
        codec.encode(RunStarted(time=START, run="r", experiment="e", name="n", base="/etc")),
        codec.encode(Media(time=START, key="k", step=0, type="text", file=file)),
        b'{"kind":"metrics"}',
        b"\xff{",
    ]
    payloads = [tfevents.version_event(START)]
    payloads += [tfevents.event(START, 0, record=record) for record in records]
    place(tmp_path / "runs", b"".join(map(tfevents.frame, payloads)))
    config = 'embeddings { tensor_name: "e" tensor_path: "../../secret.txt" }'
    place(tmp_path / "runs", b"".join(frames(1)), f"b/{NAME}")
    (tmp_path / "runs/b/projector_config.pbtxt").write_text(config)
    found = look(tmp_path / "runs")

    assert found.of(Media, "a")[0].file.held == ""
    assert not found.blobs.path(sha).exists()
    assert found.of(RunStarted, "a")[0].base == ""
    assert sum(lost.count for lost in found.of(Lost, "a")) == 3
    assert "leads out of the logdir" in found.lost("b")[0]


def test_a_damaged_file_of_our_own_is_salvaged(tmp_path: Path) -> None:
    """What ``runcast.json`` knows takes the place of what the file has lost."""
    courier = Courier(TensorBoardBackend, {"logdir": "runs"}, tmp_path, STORIES["small"]()).play()
    (path,) = [p for p in (tmp_path / "runs").rglob("*tfevents*") if ".hparams." not in p.name]
    path.write_bytes(path.read_bytes()[:60])
    source = TensorBoardSource(str(tmp_path / "runs"))
    (run,) = source.runs(Selection())
    records = list(source.read(run, Blobs(tmp_path / "read")))

    said = {type(r): r for r in courier.records}
    got = {type(r): r for r in records}
    assert (got[RunStarted].name, got[RunStarted].time) == (said[RunStarted].name, said[RunStarted].time)
    assert type(records[-1]) is RunFinished
    assert all(got[kind].values for kind in (Params, Tags) if kind in said)
    assert got[Lost].count == 1


def test_a_folder_linked_in_a_circle_is_read_once(look, tmp_path: Path) -> None:
    """Links are followed, circles are not."""
    place(tmp_path / "runs", b"".join(frames(1)))
    place(tmp_path / "far", b"".join(frames(2)), f"deep/{NAME}")
    (tmp_path / "runs/link").symlink_to(tmp_path / "far")
    (tmp_path / "runs/a/loop").symlink_to(tmp_path / "runs")

    assert list(look(tmp_path / "runs").runs) == ["a", "link/deep"]


def sample() -> bytes:
    """A file with every kind of event."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.util import tensor_util

    out = io.BytesIO()
    event = event_pb2.Event(wall_time=1.7e9, step=3)
    event.summary.value.add(tag="t", tensor=tensor_util.make_tensor_proto([1.0, 2.0]))
    histogram = event.summary.value.add(tag="h").histo
    histogram.bucket_limit.extend([1.0, 2.0])
    histogram.bucket.extend([0.0, 3.0])
    event.summary.value.add(tag="i").image.encoded_image_string = b"\x89PNG\r\n"
    event.summary.value.add(tag="a").audio.encoded_audio_string = b"RIFF"
    carried = tfevents.event(START, 1, record=codec.encode(Tags(time=START, values={"a": "b"})))
    session = tfevents.event(START, 0, tfevents.session_start_value({"lr": 0.1, "o": "sgd"}, "g", 5.0))
    curve = tfevents.event(START, 2, tfevents.pr_curve_value("p", 2, bytes(48)))
    parts = [event.SerializeToString(), carried, session, curve]
    out.write(b"".join([*frames(3), *map(tfevents.frame, parts)]))
    return out.getvalue()


SAMPLE = sample()
MUTATION = st.tuples(st.integers(0, len(SAMPLE) - 1), st.binary(min_size=1, max_size=9))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MUTATION, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_no_damage_breaks_the_reader(mutations: list[tuple[int, bytes]], cut: bool, mend: bool) -> None:
    """Whatever the bytes: an end, no other exception than SourceError, and what stands before the damage.

    With `mend` the checksums are right again, so that the parsers meet the damage themselves.
    """
    data = bytearray(SAMPLE)
    for at, content in mutations:
        data[at : at + len(content)] = content
    if cut:
        del data[mutations[0][0] :]
    if mend:
        payloads = [bytearray(payload) for payload in tfevents.FrameReader(io.BytesIO(SAMPLE))]
        for at, content in mutations:
            payload = payloads[1 + at % (len(payloads) - 1)]
            begin = at % len(payload)
            payload[begin : begin + len(content)] = content
        data = bytearray(b"".join(tfevents.frame(bytes(payload)) for payload in payloads))
    first = 0 if mend else min(at for at, _ in mutations)
    whole, end = 0, 0
    for number, part in enumerate(frames(3)):
        end += len(part)
        whole = number if end <= first else whole
    with tempfile.TemporaryDirectory() as folder:
        place(Path(folder) / "runs", bytes(data))
        source = TensorBoardSource(str(Path(folder) / "runs"))
        (run,) = source.runs(Selection())
        records = list(source.read(run, Blobs(Path(folder) / "blobs")))
    for record in records:
        codec.encode(record)
    steps = [record.step for record in records if isinstance(record, Metrics)]
    assert steps[:whole] == list(range(whole))
    assert isinstance(records[0], RunStarted)
