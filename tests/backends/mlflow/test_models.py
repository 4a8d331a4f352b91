"""Models as MLflow's own loaders, Models page and registry have them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from runcast.errors import Reject
from runcast.journal.held import digest
from runcast.records import Model

from .lives import START, Life, Store

pytestmark = [
    pytest.mark.usefixtures("fluent"),
    # MLflow, torch and friends among themselves.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
Lives = Callable[..., Life]
X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
COLUMNS = [{"type": "double", "name": name, "required": True} for name in ("a", "b")]


def model(one: Life, flavor: str, files: dict[str, bytes], **fields: Any) -> Model:
    """A model record whose files are blobs."""
    refs = [one.blob(path, content) for path, content in files.items()]
    data = {"file": refs[0].path, **fields.pop("data", {})}
    told: dict[str, Any] = {"name": "net", "time": START, "step": 4, "requirements": ["numpy"], **fields}
    return Model(flavor=flavor, files=refs, digest=digest(refs), data=data, **told)


def logistic() -> LogisticRegression:
    """A small trained model."""
    return LogisticRegression().fit(pd.DataFrame(X, columns=["a", "b"]), [0, 0, 0, 1])


def sklearn_model(one: Life, **fields: Any) -> Model:
    """A scikit-learn model, pickled."""
    data = {"format": "cloudpickle", "versions": {"scikit-learn": "1.9", "python": "3.11.7"}}
    return model(one, "sklearn", {"model.pkl": cloudpickle.dumps(logistic())}, data=data, **fields)


def logged(store: Store) -> Any:
    """The only model of the only run."""
    run = store.run()
    (found,) = store.client.search_logged_models([run.info.experiment_id])
    return found


def test_sklearn(life: Lives, store: Store) -> None:
    """MLflow loads it natively and as pyfunc, with signature and example; the run has it as its output."""
    import mlflow

    one = life()
    frame = {"columns": ["a", "b"], "data": X.tolist()}
    changes = one.deliver(
        sklearn_model(
            one,
            signature={"inputs": COLUMNS, "outputs": None, "params": None},
            example={"dataframe": frame},
            metadata={"acc": 0.9},
        ),
        one.finished(),
    )

    found = logged(store)
    assert (found.name, str(found.status), found.source_run_id) == (
        "net", "READY", store.run().info.run_id,
    )  # fmt: skip
    (output,) = store.run().outputs.model_outputs
    assert (output.model_id, output.step) == (found.model_id, 4)
    uri = f"models:/{found.model_id}"
    expected = logistic().predict(pd.DataFrame(X, columns=["a", "b"])).tolist()
    native = mlflow.sklearn.load_model(uri)
    assert native.predict(pd.DataFrame(X, columns=["a", "b"])).tolist() == expected
    loaded = mlflow.pyfunc.load_model(uri)
    assert loaded.predict(pd.DataFrame(X, columns=["a", "b"])).tolist() == expected
    assert loaded.metadata.signature.inputs.input_names() == ["a", "b"]
    assert loaded.metadata.metadata == {"acc": 0.9}
    assert loaded.metadata.load_input_example(uri).to_numpy().tolist() == X.tolist()
    assert changes == []


def test_skops(life: Lives, store: Store) -> None:
    """The form without pickles loads, too, with what it has to be told to trust."""
    import mlflow
    import skops.io

    one = life()
    content = skops.io.dumps(logistic())
    data = {"format": "skops", "types": skops.io.get_untrusted_types(data=content), "versions": {}}
    one.deliver(model(one, "sklearn", {"model.skops": content}, data=data))

    native = mlflow.sklearn.load_model(f"models:/{logged(store).model_id}")
    assert native.predict(pd.DataFrame(X, columns=["a", "b"])).tolist() == [0, 0, 0, 1] or native.coef_.any()


def _saved(save: Callable[[Any], None]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def _tensor(name: str) -> dict[str, Any]:
    return {"type": name, "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}


@pytest.mark.parametrize("flavor", ["pytorch", "torchscript", "torch_export"])
def test_torch(life: Lives, store: Store, flavor: str) -> None:
    """Whole modules, TorchScript and exported programs load natively and as pyfunc."""
    import mlflow

    torch.manual_seed(0)
    net = torch.nn.Linear(2, 1).eval()
    batch = torch.tensor(X, dtype=torch.float32)
    if flavor == "pytorch":
        weights = _saved(lambda out: torch.save(net.state_dict(), out))
        whole = _saved(lambda out: torch.save(net, out, pickle_module=cloudpickle))
        files, data = {"state_dict.pt": weights, "model.pth": whole}, {"module": "model.pth"}
    elif flavor == "torchscript":
        files, data = {"model.pt": _saved(lambda out: torch.jit.save(torch.jit.trace(net, batch), out))}, {}
    else:
        program = torch.export.export(net, (batch,))
        files, data = {"model.pt2": _saved(lambda out: torch.export.save(program, out))}, {}
    one = life()
    signature = {"inputs": [_tensor("tensor")], "outputs": None}
    changes = one.deliver(model(one, flavor, files, data=data, signature=signature))

    uri = f"models:/{logged(store).model_id}"
    expected = net(batch).detach().numpy()
    assert np.allclose(mlflow.pytorch.load_model(uri)(batch).detach().numpy(), expected)
    assert np.allclose(mlflow.pyfunc.load_model(uri).predict(X.astype(np.float32)), expected)
    assert changes == []


def test_state_dict_alone(life: Lives, store: Store) -> None:
    """MLflow has no flavor for it: the files are there, and the report says so."""
    one = life()
    weights = _saved(lambda out: torch.save({"w": torch.ones(1)}, out))
    (change,) = one.deliver(model(one, "pytorch", {"state_dict.pt": weights}))

    assert (change.what, change.key) == ("degraded", "net")
    assert "state dict" in change.detail
    listed = {info.path for info in store.client.list_logged_model_artifacts(logged(store).model_id)}
    assert {"MLmodel", "state_dict.pt", "requirements.txt", "conda.yaml", "python_env.yaml"} <= listed


def test_xgboost(life: Lives, store: Store, tmp_path: Path) -> None:
    """A booster loads natively and as pyfunc."""
    import mlflow
    import xgboost

    booster = xgboost.train({"max_depth": 1}, xgboost.DMatrix(X, label=[0, 0, 0, 1]), 2)
    booster.save_model(tmp_path / "model.ubj")
    one = life()
    data = {"format": "ubj", "class": "xgboost.core.Booster", "versions": {"xgboost": xgboost.__version__}}
    one.deliver(model(one, "xgboost", {"model.ubj": (tmp_path / "model.ubj").read_bytes()}, data=data))

    uri = f"models:/{logged(store).model_id}"
    expected = booster.predict(xgboost.DMatrix(X))
    assert np.allclose(mlflow.xgboost.load_model(uri).predict(xgboost.DMatrix(X)), expected)
    assert np.allclose(mlflow.pyfunc.load_model(uri).predict(X), expected)


def test_onnx(life: Lives, store: Store) -> None:
    """An ONNX graph loads natively."""
    import mlflow
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "identity",
        [value("x", TensorProto.FLOAT, [None, 2])],
        [value("y", TensorProto.FLOAT, [None, 2])],
    )
    made = helper.make_model(graph)
    one = life()
    one.deliver(model(one, "onnx", {"model.onnx": made.SerializeToString()}, data={"format": "onnx"}))

    loaded = mlflow.onnx.load_model(f"models:/{logged(store).model_id}")
    assert onnx.helper.printable_graph(loaded.graph) == onnx.helper.printable_graph(graph)


class _Double:
    predict_type_hints = None

    def load_context(self, context: Any) -> None:
        """Nothing to load."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Twice the input."""
        return model_input * 2


def test_any_callable(life: Lives, store: Store) -> None:
    """A pickled object with MLflow's two methods is a pyfunc."""
    import mlflow

    cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["x"]))
    content = cloudpickle.dumps(_Double())
    one = life()
    one.deliver(model(one, "pyfunc", {"python_model.pkl": content}, example={"ndarray": X.tolist()}))

    uri = f"models:/{logged(store).model_id}"
    loaded = mlflow.pyfunc.load_model(uri)
    assert loaded.predict(X).tolist() == (X * 2).tolist()
    assert np.asarray(loaded.metadata.load_input_example(uri)).tolist() == X.tolist()


def test_registered_once(life: Lives, store: Store, tmp_path: Path) -> None:
    """Redelivery and a crash make no second model, output or version; aliases point to the version.

    MLflow's global settings name another store meanwhile, as they do in a user's process.
    """
    import mlflow

    usual = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/another.db")
    one = life()
    record = sklearn_model(one, register_as="digits/best", aliases=["champion", "latest"])
    one.deliver(record, ack=False)
    changes = one.deliver(record)
    one.backend = None
    one.deliver(record, one.finished())
    mlflow.set_tracking_uri(usual)

    found = logged(store)
    name = "digits_x2f_best"
    (version,) = store.client.search_model_versions(f"name = '{name}'")
    assert (str(version.version), version.run_id) == ("1", store.run().info.run_id)
    assert version.source == found.artifact_location
    assert store.client.get_model_version_by_alias(name, "champion").version == version.version
    assert len(store.run().outputs.model_outputs) == 1
    assert json.loads(found.tags["mlflow.modelVersions"]) == [{"name": name, "version": "1"}]
    assert mlflow.sklearn.load_model(f"models:/{name}@champion").coef_.shape == (1, 2)
    assert {(c.what, c.key) for c in changes} == {("renamed", "digits/best"), ("renamed", "latest")}


CALLS = (
    "create_logged_model",
    "log_model_artifact",
    "finalize_logged_model",
    "log_outputs",
    "create_model_version",
    "set_registered_model_alias",
    "set_logged_model_tags",
    "log_batch",
)


@pytest.mark.parametrize("point", CALLS)
@pytest.mark.parametrize("after", [False, True])
def test_crash_at_each_point(life: Lives, store: Store, point: str, after: bool) -> None:
    """A process that dies before or after any of MLflow's calls leaves one model and one version."""
    one = life()
    one.open()
    assert one.backend is not None
    client = one.backend._client
    call = getattr(client, point)

    class Died(BaseException):
        pass

    def dies(*args: Any, **kwargs: Any) -> Any:
        if after:
            call(*args, **kwargs)
        raise Died

    record = sklearn_model(one, register_as="best", aliases=["champion"])
    setattr(client, point, dies)
    with pytest.raises(Died):
        one.deliver(record, one.finished())
    one.backend = None
    one.deliver(record, one.finished())

    (version,) = store.client.search_model_versions("name = 'best'")
    assert version.aliases == ["champion"] or store.client.get_model_version_by_alias("best", "champion")
    assert str(logged(store).status) == "READY"
    assert len(store.run().outputs.model_outputs) == 1


def test_new_content_is_a_new_version(life: Lives, store: Store) -> None:
    """Another content under the same name is another model and version; the alias moves."""
    one = life()
    first = sklearn_model(one, register_as="best", aliases=["champion"])
    second = model(one, "onnx", {"model.onnx": b"x"}, register_as="best", aliases=["champion"])
    one.deliver(first, second)

    versions = store.client.search_model_versions("name = 'best'")
    assert sorted(str(version.version) for version in versions) == ["1", "2"]
    assert str(store.client.get_model_version_by_alias("best", "champion").version) == "2"


def test_signature_that_is_none(life: Lives) -> None:
    """A forged signature is refused by name."""
    one = life()
    with pytest.raises(Reject, match="model 'net'"):
        one.deliver(sklearn_model(one, signature={"inputs": [{"type": "no type"}]}))


def test_record_can_be_rebuilt(life: Lives, store: Store) -> None:
    """What MLflow's form leaves out is in the residual."""
    one = life()
    record = sklearn_model(one, example={"json": {"a": 1}}, metadata={"x": float("inf")})
    one.deliver(record, one.finished())

    (fact,) = (
        fact
        for fact in map(json.loads, store.files()["runcast/residual.jsonl"].splitlines())
        if fact["kind"] == "model"
    )
    assert (fact["flavor"], fact["digest"], fact["step"]) == ("sklearn", record.digest, 4)
    assert fact["metadata"] == {"x": {"$float": "inf"}}
    assert fact["data"] == record.data
    assert [ref["sha256"] for ref in fact["files"]] == [record.files[0].sha256]
