"""Files that Keras and PyTorch Lightning themselves wrote, see ``written/``: compared with what they said."""

import shutil
from pathlib import Path

import pytest

from runcast.records import Artifact, Media, Params

WRITTEN = Path(__file__).parent / "written"


def test_keras(look, tmp_path: Path) -> None:
    """Its callback's folders are runs below one: epochs by name, histograms, the model's graph, HParams."""
    shutil.copytree(WRITTEN / "keras", tmp_path / "keras")
    found = look(tmp_path / "keras")

    assert {id_: run.parent for id_, run in found.runs.items()} == {
        ".": None, "extra": ".", "train": ".", "validation": ".",
    }  # fmt: skip
    # What `keras_run.py` printed: Keras' own history.
    said = {
        "train": [0.5563160181045532, 0.15681549906730652, 0.094218909740448],
        "validation": [0.1784321367740631, 0.0931183397769928, 0.07570444047451019],
    }
    for run, losses in said.items():
        points = [(step, value) for _, step, name, value in found.points(run) if name == "epoch_loss"]
        assert points == list(enumerate(losses))
    assert [params.values for params in found.of(Params, ".")] == [{"lr": 0.125, "optimizer": "sgd"}]
    histograms = [media for media in found.of(Media, "train") if media.type == "histogram"]
    assert {(media.key.split("/")[2], media.step) for media in histograms} == {
        (name, step) for name in ("kernel", "bias") for step in range(3)
    }
    assert [artifact.metadata["plugin"] for artifact in found.of(Artifact, "train")] == ["graph_keras_model"]
    assert [(step, name) for _, step, name, _ in found.points("extra")] == [(2**40, "loss")]
    assert {(media.key, media.type) for media in found.of(Media, "extra")} == {
        ("picture", "image"), ("said", "text"),
    }  # fmt: skip
    assert not any(found.lost(run) for run in found.runs)


def test_lightning(look, tmp_path: Path) -> None:
    """Its logger's points by step and epoch, and its hyperparameters."""
    shutil.copytree(WRITTEN / "lightning", tmp_path / "lightning")
    found = look(tmp_path / "lightning")

    last = {name: (step, value) for _, step, name, value in found.points()}
    assert last["train/loss_step"] == (3, 0.45967423915863037)  # what `lightning_run.py` printed
    assert last["train/loss_epoch"] == (3, 0.2483437955379486)
    assert last["val/loss"] == (3, pytest.approx(0.1010594591498375))
    assert len([1 for _, _, name, _ in found.points() if name == "train/loss_step"]) == 4
    assert [params.values for params in found.of(Params)] == [{"lr": 0.125, "width": 4.0}]
    assert found.lost() == []
