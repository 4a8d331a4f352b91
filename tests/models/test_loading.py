"""Where a model can be loaded from, what is refused, and MLflow reading our files by itself."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import runcast
from runcast import catalog

from .shelf import ARRAY, Doubler, X, Y, double, linear, logged

Begin = Callable[..., runcast.Run]


def test_a_run_a_path_and_a_stored_artifact_load_too(begin: Begin) -> None:
    """And a model that the going run loads is its input."""
    maker = begin("train")
    maker.log_model(LogisticRegression().fit(X, Y), "m")
    stored = maker.use_artifact("m", type="model")
    for wanted in (maker, stored, stored.path, stored.path / "model.skops"):
        assert runcast.load_model(wanted).score(X, Y) > 0.5
    maker.finish()
    user = begin("serve")
    runcast.load_model("m")
    user.finish()

    (used,) = catalog.run(user.id).inputs()
    assert (used.name, used.type, used.run) == ("m", "model", maker.id)


def test_what_cannot_be_found_is_refused(begin: Begin) -> None:
    """Names, runs without models, folders without models, artifacts that are none."""
    run = begin()
    Path("f.txt").write_text("x")
    run.log_artifact("f.txt")
    with pytest.raises(runcast.UsageError, match="is of type 'file', not 'model'"):
        runcast.load_model("f.txt:latest")
    with pytest.raises(runcast.UsageError, match="has logged no model"):
        runcast.load_model(run)
    with pytest.raises(runcast.UsageError, match="no artifact 'nothing'"):
        runcast.load_model("nothing")
    with pytest.raises(runcast.UsageError, match="has no model that runcast saved"):
        runcast.load_model(Path())


def test_a_pickle_in_a_safe_files_clothes_runs_nothing(begin: Begin) -> None:
    """What the record says is not believed: each reader takes only its own form."""
    begin()

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (Path("ran"),))

    for name in ("state_dict.safetensors", "state_dict.pt", "model.onnx", "model.ubj", "model.skops"):
        Path(name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(runcast.UsageError):
            runcast.load_model(Path(name))
    torch.save(Evil(), "state_dict.pt")
    with pytest.raises(runcast.UsageError, match="cannot be loaded"):
        runcast.load_model(Path("state_dict.pt"))

    assert not Path("ran").exists()


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # MLflow's, of itself
def test_mlflow_loads_our_pyfunc_files(run: runcast.Run) -> None:
    """With an MLmodel as MLflow's backend writes it, and without runcast in the loading process."""
    run.log_model(Doubler())
    folder = run.use_artifact("model").download("served")
    saved = mlflow.models.Model()
    saved.add_flavor(
        "python_function",
        loader_module="mlflow.pyfunc.model",
        python_model="python_model.pkl",
        cloudpickle_version=logged(run).model["data"]["versions"]["cloudpickle"],  # type: ignore[index]
        env={"virtualenv": "python_env.yaml"},
    )
    saved.save(str(folder / "MLmodel"))

    loaded = mlflow.pyfunc.load_model(str(folder))

    assert np.allclose(loaded.predict(ARRAY), ARRAY * 2)


def test_a_pyfunc_pickle_needs_no_runcast(run: runcast.Run) -> None:
    """Another machine may have cloudpickle alone."""
    run.log_model(lambda rows: rows * 2)
    file = run.use_artifact("model").path / "python_model.pkl"
    code = (
        "import pickle, sys; sys.modules['runcast'] = None;"
        f"print(pickle.load(open({str(file)!r}, 'rb')).predict(None, 21))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "42"


def test_mlflow_loads_our_modules(run: runcast.Run) -> None:
    """`model.pth` in the place where its PyTorch flavor looks."""
    net = linear().eval()
    run.log_model(net)
    folder = run.use_artifact("model").download("served")
    (folder / "data").mkdir()
    (folder / "model.pth").rename(folder / "data" / "model.pth")
    (folder / "data" / "pickle_module_info.txt").write_text("mlflow.pytorch.pickle_module")
    saved = mlflow.models.Model()
    saved.add_flavor("pytorch", model_data="data", pytorch_version=str(torch.__version__), code=None)
    saved.save(str(folder / "MLmodel"))

    loaded = mlflow.pytorch.load_model(str(folder))

    assert torch.equal(loaded(torch.tensor(ARRAY)), net(torch.tensor(ARRAY)))


def test_secrets_in_requirements_and_metadata_are_masked(run: runcast.Run) -> None:
    """An index address with a password, a token in the metadata."""
    lines = ["--extra-index-url https://me:hunter22@host/simple", "numpy"]
    run.log_model(double, requirements=lines, metadata={"api_key": "abcdef012345"})
    run.finish()

    every = b"".join(path.read_bytes() for path in Path(".runcast").rglob("*") if path.is_file())
    assert b"hunter22" not in every
    assert b"abcdef012345" not in every
    assert logged(run).model["requirements"][1] == "numpy"  # type: ignore[index]
