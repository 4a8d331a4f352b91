"""What cannot be kept is told by name, cause and mend; the rest of the call is logged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import runcast
from runcast.journal import Layout, read_run
from runcast.records import Metrics

from .reading import LATER, logged, lost

ONES = np.ones((4, 4))


class Hostile:
    """An object of which every attribute raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    ("value", "mend"),
    [
        (runcast.Image(np.zeros((2, 5, 7))), "H×W×C"),
        (runcast.Image(np.zeros((0, 5))), "empty"),
        (runcast.Image([]), "leave it out"),
        (runcast.Image([[1, 2], [3]]), "could not be read"),
        (runcast.Image("no/such.png"), "no file"),
        (runcast.Image(b"no picture"), "PNG, JPEG"),
        (runcast.Image(ONES.astype(complex)), ".real"),
        (runcast.Image(torch.zeros(3, 3, device="meta")), "no values"),
        (runcast.Image(Hostile()), "RuntimeError"),
        (runcast.Image(None), "no array"),
        (runcast.Image(np.zeros((3, 4, 4)), layout="HCW"), "'HWC' or 'CHW'"),
        (runcast.Figure(3), "matplotlib or plotly"),
        (runcast.Audio(ONES), "sample_rate="),
        (runcast.Audio(ONES, sample_rate=0.5), "whole number"),
        (runcast.Audio([], sample_rate=8000), "not empty"),
        (runcast.Audio("a.txt", 8000), ".wav"),
        (runcast.Audio(b"nothing"), "WAV"),
        (runcast.Video(np.zeros((1, 2, 3, 4, 5))), "each under a name"),
        (runcast.Video(np.zeros((2, 4, 4, 3)), fps=0), "positive"),
        (runcast.Video("film.avi"), ".mp4"),
        (runcast.Html(3), "path"),
        (runcast.Html(Path("missing.html")), "no file"),
        (runcast.Table([]), "empty"),
        (runcast.Table(pd.DataFrame()), "empty"),
        (runcast.Table([[1, 2], [3]], ["a", "b"]), "ragged: row 1"),
        (runcast.Table({"a": [1], "b": [1, 2]}), "ragged"),
        (runcast.Table([{"a": 1}], ["b"]), "no column 'b'"),
        (runcast.Table(7), "data frame"),
        (runcast.Table(pl.DataFrame({"a": [1]}).lazy()), "collect()"),
        (runcast.Histogram([]), "empty"),
        (runcast.Histogram([float("nan")]), "finite"),
        (runcast.Histogram(["a"]), "no numbers"),
        (runcast.Histogram(edges=[0, 1], counts=[1, 2]), "n+1 edges"),
        (runcast.Histogram(edges=[1, 0], counts=[1]), "rise"),
        (runcast.Histogram(ONES, bins=0), "bins"),
        (runcast.Object3D("thing.txt"), ".glb"),
        (runcast.PointCloud(ONES[:, :2]), "N×3"),
        (runcast.Mesh(ONES[:, :3] * np.nan), "finite"),
        (runcast.Embedding(ONES[0]), "N×D"),
        (runcast.ConfusionMatrix([1, 2], [1]), "as many"),
        (runcast.ConfusionMatrix(matrix=[[1, 2]]), "K×K"),
        (runcast.RocCurve([0, 0], [0.1, 0.2]), "both kinds"),
        (runcast.RocCurve([0, 1], [0.1, np.nan]), "finite"),
        (runcast.RocCurve([0, 1, 2], [0.1, 0.2, 0.3]), "labels="),
        (runcast.PrCurve(), "y_true"),
        (runcast.Calibration([0, 1], [0.1, 2.0]), "sigmoid"),
        (runcast.FeatureImportance([1.0, 2.0], ["a"]), "as many names"),
        (runcast.FeatureImportance({}), "not empty"),
        (pd.DataFrame({"a": [1]}), "runcast.Table"),
    ],
)
def test_a_wrong_value_is_named_and_the_rest_is_logged(
    run: runcast.Run, caplog: pytest.LogCaptureFixture, value: Any, mend: str
) -> None:
    """One warning with the key and the mend, one `lost` record, no exception; the number is kept."""
    run.log({"wrong": value, "loss": 0.5}, step=7)

    assert logged(run) == []
    (one,) = [one for one in lost(run) if one.key == "wrong"][-1:]
    assert "'wrong'" in caplog.text
    assert mend in one.reason
    (metrics,) = [r for r in read_run(Layout(".runcast").run(run.id)) if isinstance(r, Metrics)]
    assert (metrics.step, metrics.values) == (7, {"loss": 0.5})


@pytest.mark.parametrize(
    "say",
    [
        lambda run: run.log({"changed": runcast.Image(np.full((2, 2), 7.0))}),
        lambda run: run.log({"changed": runcast.Image([ONES, ONES], columns="two")}),
        lambda run: run.log({"changed": runcast.Text("x", metadata={"of": np.zeros(100_000)})}),
        lambda run: run.log_params({"changed": np.zeros(100_000)}),
        lambda run: run.log_dataset({"a": np.zeros(3)}, name="changed", target="b"),
    ],
    ids=["image", "columns", "metadata", "param", "dataset"],
)
def test_what_is_kept_in_part_is_not_called_missing(
    run: runcast.Run, caplog: pytest.LogCaptureFixture, say: Any
) -> None:
    """A person who reads the warning does not look for a value that is there."""
    say(run)

    assert "'changed' was not logged in full: " in caplog.text


def test_strict_raises_after_everything_was_kept(project: Path) -> None:
    """For tests of training code."""
    run = runcast.start("exp", config=LATER, strict=True)
    with pytest.raises(runcast.UsageError, match="wrong"):
        run.log({"wrong": runcast.Image(3), "right": runcast.Text("x"), "loss": 1.0})

    assert [record.key for record in logged(run)] == ["right"]


def test_a_full_disk_is_told(run: runcast.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value is lost, and said to be; the next number is not."""
    import errno

    from runcast.journal import Blobs

    def full(self: Any, *parts: bytes) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Blobs, "put_bytes", full)
    run.log({"im": runcast.Image(ONES), "loss": 1.0})

    assert "No space left" in lost(run)[0].reason


@pytest.mark.parametrize(("package", "extra"), [("numpy", "runcast[media]"), ("PIL", "runcast[media]")])
def test_a_missing_package_is_named_with_its_extra(project: Path, package: str, extra: str) -> None:
    """A machine without the optional packages logs everything else."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import runcast\n"
        "with runcast.start('e', config={'delivery': 'later'}) as run:\n"
        "    run.log({'im': runcast.Image(b'\\x89PNG') if 'PIL' in sys.modules else runcast.Image([[1]]),"
        " 'loss': 1.0, 't': runcast.Text('x')})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert extra in done.stderr


def test_secrets_in_words_are_masked(run: runcast.Run) -> None:
    """In captions, cells, HTML, labels, metadata and column names; and in no file."""
    secret = "s3cr3t-p4ssw0rd"
    url = f"postgresql://me:{secret}@db/x"
    run.log(
        {
            "im": runcast.Image(ONES, caption=url, masks={"m": {"mask": ONES, "classes": {1: url}}}),
            "table": runcast.Table([[url, {"deep": [url]}]], [url, "b"]),
            "html": runcast.Html(f"<a href='{url}'>x</a>"),
            "long": runcast.Text(url + "x" * 2_000_000),
            "cm": runcast.ConfusionMatrix([0, 1], [0, 1], names=[url, "b"]),
            "fi": runcast.FeatureImportance({url: 1.0}),
            "emb": runcast.Embedding(ONES, [url] * 4),
            "hist": runcast.Histogram(ONES, caption=url, metadata={"password": secret, "where": url}),
        }
    )

    assert len(logged(run)) == 8
    files = [path for path in Path(".runcast").rglob("*") if path.is_file()]
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
