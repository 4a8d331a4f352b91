"""What torch, tensorboardX and TensorFlow 2 write comes as records; nothing of it in silence."""

import json
import math
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.plugins.scalar import metadata as scalar_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from runcast.records import Artifact, Media, Metrics, Params, RunFinished, RunStarted

WALL = 1_700_000_000.123


@pytest.fixture(scope="module")
def writers():
    """torch's and tensorboardX's, which promise the same."""
    import tensorboardX
    from torch.utils.tensorboard import SummaryWriter

    return {"torch": SummaryWriter, "tensorboardX": tensorboardX.SummaryWriter}


def single(value: float) -> float:
    """The float32 next to a number, as a double."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


@pytest.mark.parametrize("kind", ["torch", "tensorboardX"])
def test_scalars_texts_and_times(kind: str, writers, look, tmp_path: Path) -> None:
    """double(float32), any int64 step in file order, wall times to the ns, NaN and infinities."""
    logdir = tmp_path / "runs"
    writer = writers[kind](str(logdir / "exp" / "a"))
    said = [(0.1, 5), (math.inf, -3), (1e-50, 2**62), (0.1, 5)]
    for number, (value, step) in enumerate(said):
        writer.add_scalar("train/loss", value, step, walltime=WALL + number)
    writer.add_scalar("nan", math.nan, 0, walltime=WALL)
    writer.add_text("notes/why", "# é", 7, walltime=WALL)
    writer.close()
    found = look(logdir)

    run = found.runs["exp/a"]
    assert (run.experiment, run.name, run.status, run.problem) == ("exp", "a", "finished", "")
    exact = [round(Fraction(WALL + n) * 10**9) for n in range(4)]
    assert found.points()[:4] == [
        (exact[n], step, "train/loss", single(value)) for n, (value, step) in enumerate(said)
    ]
    assert math.isnan(found.points()[4][3])
    (text,) = found.of(Media)
    assert (text.key, text.type, text.text, text.step) == ("notes/why", "text", "# é", 7)
    assert found.lost() == []
    started, *_, finished = found.only()
    assert isinstance(started, RunStarted)
    assert started.origin == {"tracker": "tensorboard", "id": "exp/a", "url": str(logdir / "exp" / "a")}
    assert (finished.status, finished.time >= exact[3]) == ("finished", True)


@pytest.mark.parametrize("kind", ["torch", "tensorboardX"])
def test_media(kind: str, writers, look, tmp_path: Path) -> None:
    """Images and audio as their files are; histograms in 64 bit; PR curves and meshes as numbers."""
    writer = writers[kind](str(tmp_path / "runs"))
    pixels = np.zeros((3, 2, 4), np.uint8)
    writer.add_image("picture", pixels, 1)
    if kind == "torch":  # tensorboardX needs a sound library for it
        writer.add_audio("sound", np.zeros((1, 80), np.float32), 2, sample_rate=8000)
    writer.add_histogram("weights", np.array([1.0, 2.0, 2.0, 4.0]), 3)
    writer.add_pr_curve("pr", np.array([0, 1, 1]), np.array([0.1, 0.8, 0.4]), 4, num_thresholds=5)
    writer.close()
    found = look(tmp_path / "runs")
    media = {record.key: record for record in found.of(Media)}

    assert found.lost() == []
    if sound := media.pop("sound", None):
        assert (sound.type, sound.step, sound.data["sample_rate"]) == ("audio", 2, 8000)
        assert found.content(sound.file).startswith(b"RIFF")
    assert {key: (record.type, record.step) for key, record in media.items()} == {
        "picture": ("image", 1), "weights": ("histogram", 3), "pr": ("pr_curve", 4),
    }  # fmt: skip
    assert media["picture"].data == {"items": [{"width": 4, "height": 2}]}
    assert found.content(media["picture"].file).startswith(b"\x89PNG")
    data = media["weights"].data
    assert (data["num"], data["sum"], data["sum_squares"], data["min"], data["max"]) == (4, 9, 25, 1, 4)
    assert len(data["edges"]) == len(data["counts"]) + 1
    assert data["edges"] == sorted(data["edges"])
    assert sum(data["counts"]) == 4
    (curve,) = media["pr"].data["classes"]
    assert curve["thresholds"] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert curve["tp"] == [0, 1, 1, 2, 2]
    assert curve["recall"][-1] == 1


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")  # torch's own `add_graph` uses it
def test_meshes_graphs_tensors_and_embeddings_of_torch(writers, look, tmp_path: Path) -> None:
    """Each in its medium; what has none is an artifact."""
    import torch

    writer = writers["torch"](str(tmp_path / "runs"))
    vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    colors = torch.tensor([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=torch.int)
    faces = torch.tensor([[[0, 1, 2]]])
    writer.add_mesh("solid", vertices, colors=colors, faces=faces, global_step=1)
    writer.add_mesh("cloud", vertices, colors=colors, global_step=2, config_dict={"camera": 1})
    writer.add_graph(torch.nn.Linear(2, 1), torch.zeros(1, 2))
    writer.add_tensor("raw", torch.tensor([[1.5, 2.5]]), global_step=3)
    writer.add_embedding(torch.eye(3), metadata=["a", "b", "c"], tag="em", global_step=4)
    writer.add_custom_scalars({"both": {"x": ["Multiline", ["a", "b"]]}})
    writer.close()
    found = look(tmp_path / "runs")
    media = {record.key: record for record in found.of(Media)}

    assert found.lost() == []
    assert {key: record.type for key, record in media.items()} == {
        "solid": "mesh", "cloud": "point_cloud", "graph": "graph", "em": "embedding",
    }  # fmt: skip
    arrays = [np.load(found.blobs.path(file.sha256)) for file in media["solid"].contents]
    assert media["solid"].data["parts"] == ["vertices", "colors", "faces"]
    assert [(array.dtype, array.shape) for array in arrays] == [
        (np.float32, (3, 3)), (np.uint8, (3, 3)), (np.int32, (1, 3)),
    ]  # fmt: skip
    assert np.array_equal(arrays[1], colors[0].numpy())
    assert np.load(found.blobs.path(media["cloud"].file.sha256)).shape == (3, 6)
    assert json.loads(media["cloud"].data["config"]) == {"camera": 1}
    assert media["graph"].data["nodes"] > 0
    vectors, labels = media["em"].contents
    assert np.array_equal(np.load(found.blobs.path(vectors.sha256)), np.eye(3, dtype=np.float32))
    assert (found.content(labels), media["em"].step) == (b"a\nb\nc\n", 4)
    artifacts = {record.metadata["plugin"]: record for record in found.of(Artifact)}
    raw = np.load(found.blobs.path(artifacts["tensor"].files[0].sha256))
    assert np.array_equal(raw, [[1.5, 2.5]])
    assert artifacts["custom_scalars"].files[0].size > 0
    assert artifacts[""].metadata["run"] == "step1"


@pytest.mark.parametrize("kind", ["torch", "tensorboardX"])
def test_a_session_in_a_folder_of_its_own_belongs_to_its_run(
    kind: str, writers, look, tmp_path: Path
) -> None:
    """`add_hparams` makes a folder named by time: its params and metrics come with the parent."""
    writer = writers[kind](str(tmp_path / "runs" / "a"))
    writer.add_scalar("loss", 0.5, 0)
    writer.add_hparams({"lr": 0.5, "flag": True, "opt": "sgd", "n": 3}, {"hparam/accuracy": 0.75})
    writer.close()
    assert len(list((tmp_path / "runs").rglob("*tfevents*"))) == 2
    found = look(tmp_path / "runs")

    assert list(found.runs) == ["a"]
    (params,) = found.of(Params)
    assert params.values == {"lr": 0.5, "flag": True, "opt": "sgd", "n": 3.0}
    assert {(key, value) for _, _, key, value in found.points()} == {("loss", 0.5), ("hparam/accuracy", 0.75)}
    assert found.only()[0].origin["extra"]["hparams_experiment"]
    assert found.runs["a"].status == "finished"


def test_several_sessions_of_one_run_are_runs_of_their_own(writers, look, tmp_path: Path) -> None:
    """Trials of a search: none overwrites another's params."""
    writer = writers["torch"](str(tmp_path / "runs" / "a"))
    for trial in range(2):
        writer.add_hparams({"lr": trial / 2}, {"accuracy": 0.5}, run_name=f"170000000{trial}.5")
    writer.close()
    found = look(tmp_path / "runs")

    assert {id_: run.parent for id_, run in found.runs.items()} == {
        "a": None, "a/1700000000.5": "a", "a/1700000001.5": "a",
    }  # fmt: skip
    assert found.of(Params, "a/1700000001.5")[0].values == {"lr": 0.5}


def write(folder: Path, *events: event_pb2.Event) -> None:
    """An event file by TensorBoard's own writer."""
    writer = EventFileWriter(str(folder))
    for event in events:
        writer.add_event(event)
    writer.close()


def event_of(tag: str, tensor=None, plugin=None, step: int = 0) -> event_pb2.Event:
    """An event of one tensor, as TensorFlow 2 and Keras write it (built from TensorBoard's protobufs)."""
    event = event_pb2.Event(wall_time=WALL, step=step)
    event.summary.value.add(tag=tag, tensor=tensor, metadata=plugin)
    return event


def plugin(name: str) -> summary_pb2.SummaryMetadata:
    """What says whose a value is."""
    return summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name=name))


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (np.float32, 0.1, single(0.1)),
        (np.float64, 0.1, 0.1),
        (np.float16, 0.5, 0.5),
        (np.int64, -(2**60), -(2**60)),
        (np.int32, -7, -7),
        (np.uint8, 200, 200),
        (np.bool_, True, True),
    ],
)
def test_numbers_of_tensorflow_2_are_tensors(dtype, value, expected, look, tmp_path: Path) -> None:
    """The plugin's name decides; later points of a tag need not say it again."""
    plugin = scalar_metadata.create_summary_metadata(display_name="", description="")
    tensor = tensor_util.make_tensor_proto(dtype(value))
    write(tmp_path / "runs/train", event_of("x", tensor, plugin), event_of("x", tensor, None, step=1))
    found = look(tmp_path / "runs")

    assert [(step, key, repr(v)) for _, step, key, v in found.points()] == [
        (0, "x", repr(expected)), (1, "x", repr(expected)),
    ]  # fmt: skip


def test_bfloat16_is_a_number(look, tmp_path: Path) -> None:
    """Exactly: a float32 holds it."""
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_BFLOAT16, half_val=[0x3FC0])
    plugin = scalar_metadata.create_summary_metadata("", "")
    write(tmp_path / "runs/train", event_of("x", tensor, plugin))

    assert [value for *_, value in look(tmp_path / "runs").points()] == [1.5]


def test_media_of_tensorflow_2(look, tmp_path: Path) -> None:
    """Images of one step in one record, histograms of k x 3, audio with labels, tables of text."""
    png = b"\x89PNG\r\n\x1a\n..."
    make = tensor_util.make_tensor_proto
    values = [
        event_of("im", make([b"4", b"2", png, png + b"2"]), plugin("images")),
        event_of(
            "hi", make(np.array([[0.0, 0.1, 2], [0.1, 0.3, 5]])),
            plugin("histograms"),
        ),
        event_of("au", make([[b"RIFF..", b"a"], [b"OggS..", b""]]),
                 plugin("audio")),
        event_of("te", make([["a", "b"], ["c", "d"]]), plugin("text")),
    ]  # fmt: skip
    write(tmp_path / "runs/train", *values)
    found = look(tmp_path / "runs")
    media = {record.key: record for record in found.of(Media)}

    assert found.lost() == []
    assert [found.content(file) for file in media["im"].contents] == [png, png + b"2"]
    assert media["im"].data["items"] == [{"width": 4, "height": 2}] * 2
    assert (media["hi"].data["edges"], media["hi"].data["counts"]) == ([0.0, 0.1, 0.3], [2.0, 5.0])
    assert (media["au"].caption, media["au/1"].file.path) == ("a", "audio.ogg")
    assert json.loads(found.content(media["te"].file))["data"] == [["a", "b"], ["c", "d"]]


def test_a_session_in_the_run_itself(look, tmp_path: Path) -> None:
    """As Keras' callback writes it: params with types, the start's time, the end's status and time."""
    start = summary_v2.hparams_pb({"lr": 0.1, "on": True}, trial_id="t", start_time_secs=WALL - 100)
    info = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_FAILURE, end_time_secs=WALL + 100)
    about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=info))
    end = summary_pb2.Summary(
        value=[summary_pb2.Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about)]
    )
    write(
        tmp_path / "runs/a",
        event_pb2.Event(wall_time=WALL, summary=start),
        event_pb2.Event(wall_time=WALL, summary=end),
    )
    found = look(tmp_path / "runs", live=True)

    assert found.runs["a"].status == "failed"
    assert found.runs["a"].started == round((WALL - 100) * 1e9)
    assert found.of(Params)[0].values == {"lr": 0.1, "on": True}
    assert found.of(RunFinished)[0].time == round((WALL + 100) * 1e9)
    assert found.of(RunFinished)[0].status == "failed"
    assert found.only()[0].origin["extra"]["group"] == "t"


def test_what_has_no_place_is_told(look, tmp_path: Path) -> None:
    """Descriptions, marks of sessions, empty and unreadable values."""
    broken = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, tensor_content=b"123")
    plugin = scalar_metadata.create_summary_metadata("", "loss of the *whole*")
    empty = event_pb2.Event(wall_time=WALL)
    empty.summary.value.add(tag="video").image.width = 3
    mark = event_pb2.Event(wall_time=WALL)
    mark.session_log.status = event_pb2.SessionLog.START
    write(
        tmp_path / "runs/a",
        event_of("x", tensor_util.make_tensor_proto(1.0), plugin),
        event_of("y", broken, scalar_metadata.create_summary_metadata("", "")),
        empty,
        mark,
        event_pb2.Event(wall_time=math.nan, summary=summary_pb2.Summary()),
    )
    found = look(tmp_path / "runs")

    assert [text.partition(":")[0] for text in found.lost()] == ["x", "y", "video", "", ""]
    assert "description" in found.lost()[0]
    assert "moviepy" in found.lost()[2]
    assert len(found.of(Metrics)) == 1


def test_files_of_one_run_are_merged_by_time(look, tmp_path: Path) -> None:
    """A run that was taken up again has several; the numbers in their names count."""
    from runcast.formats import tfevents

    encoder = tfevents.ScalarEncoder()
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    for stamp in (999_999_999, 1_700_000_000, 1_700_000_001):
        frames = [tfevents.version_event(stamp * 10**9), encoder.event(stamp * 10**9, stamp, {"x": 1.0}, [])]
        name = f"events.out.tfevents.{stamp}.my.host.77.0"
        (folder / name).write_bytes(b"".join(map(tfevents.frame, frames)))
    found = look(tmp_path / "runs")

    assert [step for _, step, _, _ in found.points()] == [999_999_999, 1_700_000_000, 1_700_000_001]
    assert found.only()[0].host == "my.host"
