"""`Run.log_dataset`: digests that are the same everywhere, schemas, splits."""

from __future__ import annotations

import datetime
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.utils.data import TensorDataset

import runcast
from runcast import catalog
from runcast.datasets import look
from runcast.records import Input

NOW = datetime.datetime(2024, 5, 1, 12, 30, 0, 5)
COLUMNS: dict[str, Any] = {
    "i": [1, 2, 3],
    "f": [1.5, None, -0.0],
    "s": ["a", None, "é\n"],
    "b": [True, False, True],
    "t": [NOW, NOW, NOW],
}


def logged(run: runcast.Run) -> Input:
    """The run's last input, from the catalog."""
    run.finish()
    return catalog.run(run.id).inputs()[-1]


def test_a_file_and_a_folder(run: runcast.Run) -> None:
    """Digests as `sha256sum` and artifacts have them; files are named, not kept."""
    Path("data/sub").mkdir(parents=True)
    Path("data/a.csv").write_text("x\n1\n")
    Path("data/sub/b.csv").write_text("x\n2\n")
    run.log_dataset("data", version="2024-05", context="validation", splits={"train": 1, "test": np.int64(1)})

    found = logged(run)
    assert (found.name, found.type, found.version, found.context) == (
        "data",
        "dataset",
        "2024-05",
        "validation",
    )
    assert found.metadata["splits"] == {"train": 1, "test": 1}
    assert found.metadata["profile"] == {"bytes": 8, "files": 2}
    sums = subprocess.run(
        ["sha256sum", "data/a.csv", "data/sub/b.csv"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert [file.sha256 for file in found.files] == [line.split()[0] for line in sums]
    lines = "".join(f"{file.path}\0{file.sha256}\n" for file in found.files)
    assert found.digest == hashlib.sha256(lines.encode()).hexdigest()
    assert found.source == Path("data").absolute().as_uri()
    assert not list(Path(".runcast").glob("blobs/??/*"))


def test_a_dataset_has_the_digest_of_the_same_artifact(run: runcast.Run) -> None:
    """A folder logged both ways can be told to be the same."""
    Path("data").mkdir()
    Path("data/a").write_text("a")
    run.log_artifact("data")
    run.log_dataset("data")

    assert logged(run).digest == catalog.run(run.id).artifacts[0].digest


def test_digests_never_change() -> None:
    """Written down once: another machine, Python or version of runcast must give the same."""
    known = {
        "numpy": (np.arange(6, dtype="float32").reshape(2, 3), NUMPY),
        "arrays": ({"x": np.arange(3, dtype="int16"), "y": np.array(["a", "b", "c"])}, ARRAYS),
        "frame": (pd.DataFrame(COLUMNS), FRAME),
    }
    for name, (data, digest) in known.items():
        assert look(data).digest == digest, name


def test_digests_are_the_same_in_another_process() -> None:
    """Whatever the seed of hashes there."""
    code = (
        "import numpy as np; from runcast.datasets import look;"
        "print(look({'b': np.arange(3), 'a': np.array(['x', None], dtype=object)}).digest)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1


arrays = hnp.arrays(
    st.sampled_from(["<f4", "<f8", "<i8", "<u2", "?", "<M8[s]", "<U3"]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)


@settings(max_examples=60, deadline=None)
@given(arrays)
def test_layout_in_memory_does_not_count(array: Any) -> None:
    """Byte order, strides and order of axes are how an array lies, not what it says."""
    plain = look(array).digest

    assert look(np.asfortranarray(array)).digest == plain
    assert look(np.repeat(array, 2, axis=0)[::2]).digest == plain
    if array.dtype.kind in "fiuM":
        assert look(array.astype(array.dtype.newbyteorder(">"))).digest == plain


@settings(max_examples=60, deadline=None)
@given(arrays, st.data())
def test_content_counts(array: Any, data: Any) -> None:
    """Shape, type and each element."""
    plain = look(array).digest

    assert look(array[None]).digest != plain
    if array.size:
        where = data.draw(st.integers(0, array.size - 1))
        other = array.copy()
        flat = other.reshape(-1)
        before = flat[where].tobytes() if hasattr(flat[where], "tobytes") else flat[where]
        flat[where] = np.ones((), other.dtype) if other.dtype.kind not in "UM" else flat[where]
        same = before == (flat[where].tobytes() if hasattr(flat[where], "tobytes") else flat[where])
        assert (look(other).digest == plain) is same


def test_pandas_and_polars_agree() -> None:
    """Numbers, booleans, text and times, gaps included; the index does not count."""
    frame = pd.DataFrame(COLUMNS)

    assert look(pl.DataFrame(COLUMNS)).digest == look(frame).digest
    assert look(frame.set_index(pd.Index([7, 8, 9]))).digest == look(frame).digest
    assert look(frame.rename(columns={"i": "j"})).digest != look(frame).digest
    assert look(frame[["f", "i", "s", "b", "t"]]).digest != look(frame).digest


def test_nullable_columns_agree() -> None:
    """pandas' own nullable types, and polars'."""
    values = {"i": [1, None, 3], "b": [True, None, False], "f": [1.5, None, 2.5]}
    nullable = pd.DataFrame(values).astype({"i": "Int64", "b": "boolean", "f": "Float64"})

    assert look(nullable).digest == look(pl.DataFrame(values)).digest


def test_a_frame_is_described(run: runcast.Run) -> None:
    """Schema in MLflow's form, sizes, gaps, the target, splits given as data."""
    frame = pd.DataFrame(COLUMNS)
    run.log_dataset(frame, "table", target="i", splits={"train": frame.head(2), "rest": 1})

    found = logged(run)
    assert found.metadata["kind"] == "pandas"
    assert found.metadata["schema"][0] == {"type": "long", "name": "i", "required": True}
    assert found.metadata["schema"][2] == {"type": "string", "name": "s", "required": False}
    profile = found.metadata["profile"]
    assert (profile["rows"], profile["columns"], profile["nulls"]) == (3, 5, {"f": 1, "s": 1})
    assert found.metadata["target"] == "i"
    assert found.metadata["splits"] == {"train": 2, "rest": 1}
    assert found.metadata["split_digests"] == {"train": look(frame.head(2)).digest}


def test_arrays_and_tensors(run: runcast.Run) -> None:
    """A torch dataset of tensors is a dict of arrays by position; a tensor is an array."""
    pixels, labels = torch.zeros(5, 2), torch.arange(5)
    run.log_dataset(TensorDataset(pixels, labels), "pairs", target=labels)

    found = logged(run)
    assert (found.metadata["kind"], found.metadata["profile"]["rows"]) == ("torch", 5)
    assert [column["tensor-spec"]["shape"] for column in found.metadata["schema"]] == [[-1, 2], [-1]]
    assert found.metadata["targets"][0]["tensor-spec"]["dtype"] == "int64"
    assert found.digest == look({"0": pixels.numpy(), "1": labels.numpy()}).digest
    assert look(pixels).digest == look(pixels.numpy()).digest


def test_only_a_source(run: runcast.Run) -> None:
    """Where there is nothing to read; credentials are left out of the address."""
    run.log_dataset(name="imagenet", source="s3://me:hunter22@bucket/imagenet?X-Amz-Signature=abcdef0123")

    found = logged(run)
    assert (found.name, found.digest, found.source) == ("imagenet", "", "s3://bucket/imagenet")
    every = b"".join(path.read_bytes() for path in Path(".runcast").rglob("*") if path.is_file())
    assert b"hunter22" not in every
    assert b"abcdef0123" not in every


def test_the_scripts_metadata_stands_beside_ours(run: runcast.Run) -> None:
    """A name that has a meaning is moved, not lost."""
    run.log_dataset(np.zeros(3), metadata={"kind": "mine", "license": "MIT", "token": "abcdef012345"})

    metadata = logged(run).metadata
    assert (metadata["kind"], metadata["metadata/kind"], metadata["license"]) == ("numpy", "mine", "MIT")
    assert metadata["token"] != "abcdef012345"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"data": "missing"}, "'missing' is not there"),
        ({"data": object()}, "cannot be digested"),
        ({"data": 3}, "cannot be digested"),
        ({"data": np.array(3)}, "cannot be digested"),
        ({"data": torch.zeros(3, device="meta")}, "no values"),
        ({"data": np.zeros(3), "splits": 3}, "log_dataset met AttributeError"),
        ({"data": np.zeros(3), "splits": {"train": "many"}}, "give a number of rows"),
        ({"data": np.zeros(3), "splits": {"train": float("nan")}}, "give a number of rows"),
        ({"data": pd.DataFrame({"a": [1]}), "target": "b"}, "no column 'b'"),
        ({"data": np.array([{1}, object()], dtype=object)}, ""),
    ],
)
def test_bad_input_is_explained(run: runcast.Run, arguments: dict[str, Any], said: str) -> None:
    """No exception; the rest of the call is kept."""
    run.log_dataset(**arguments)
    run.finish()

    assert said in " ".join(loss.reason for loss in catalog.run(run.id).losses())


NUMPY = "c3093864e43d9b8e84842c6e4038194aef4474c010cf2efd3a0abb67d4c0ec0a"
ARRAYS = "35393a427f6db803813737f04e323a1ea92a139ac526947b97d5aa3797addccd"
FRAME = "4c68308ba76601c01550543b5bb36836a90f89ff8c83cbe22a0f8f407733e480"
