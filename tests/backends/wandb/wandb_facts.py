"""Records of everything that is neither number nor media."""

from __future__ import annotations

from wandb_delivery import SECOND, START, Delivery

from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Model,
    Record,
    Span,
    System,
    Trace,
)

WRITER = "ab" * 8


def artifact(delivery: Delivery) -> Artifact:
    """One file here, one elsewhere."""
    files = [
        delivery.blob("here.txt", b"here"),
        FileRef(path="there.bin", sha256="cd" * 32, size=9, uri="s3://bucket/there.bin"),
        FileRef(path="far.csv", sha256="", size=0, uri="https://example.com/far.csv"),
    ]
    return Artifact(
        time=START, writer=WRITER, seq=50, name="corpus", type="dataset", files=files, digest="0" * 64,
        aliases=["best"], metadata={"rows": 3}, description="all of it",
    )  # fmt: skip


def model(delivery: Delivery, register_as: str | None = "digits") -> Model:
    """A model with everything that it can have."""
    return Model(
        time=START, writer=WRITER, seq=51, name="net", flavor="sklearn",
        files=[delivery.blob("model.skops", b"weights")], digest="1" * 64, step=7,
        signature={
            "inputs": [{"type": "double", "name": "x", "required": True}], "outputs": None, "params": None,
        },
        example={"ndarray": [[1.0]]}, requirements=["scikit-learn==1.9.1"], register_as=register_as,
        aliases=["champion"], metadata={"acc": 0.9, "flavor": "vanilla"}, data={"format": "skops"},
    )  # fmt: skip


def inputs(delivery: Delivery) -> list[Record]:
    """A dataset at a URI, one of which only facts are known, and an artifact of another run."""
    return [
        Input(
            time=START, writer=WRITER, seq=52, name="train", type="dataset", context="training",
            digest="2" * 64, version="v3", source="s3://bucket/train.csv", metadata={"splits": {"train": 9}},
        ),
        Input(
            time=START, writer=WRITER, seq=53, name="arrays", type="dataset", digest="3" * 64,
            metadata={"kind": "numpy"},
        ),
        Input(
            time=START, writer=WRITER, seq=54, name="teacher", type="model", digest="4" * 64, run="feed" * 4,
            alias="best", files=[delivery.blob("teacher.bin", b"teacher")], context="input",
        ),
    ]  # fmt: skip


def environment(delivery: Delivery) -> Environment:
    """As `docs/capture.md` names things."""
    return Environment(
        time=START, writer=WRITER, seq=55,
        values={
            "command": {
                "line": "python t.py --lr 1", "script": "t.py", "args": ["--lr", "1"], "folder": "/home",
            },
            "python": {"version": "3.11.7", "implementation": "cpython", "executable": "/usr/bin/python"},
            "git": {"commit": "c0ffee", "branch": "main", "remote": "https://host/repo.git", "dirty": True},
            "os": {"system": "Linux", "release": "6.1", "machine": "x86_64"},
            "cpu": {"threads": 8, "usable_threads": 4}, "memory": {"total_bytes": 1 << 36},
            "gpus": [{"name": "H100", "memory_bytes": 80 << 30}], "cuda": {"version": "12.4"},
            "packages": {"numpy": "2.4.6", "torch": "2.13.0"}, "seeds": {"python": 1},
            "host": "box", "user": "ada",
        },
        files=[delivery.blob("diff.patch", b"--- a\n+++ b\n"), delivery.blob("sub/lock.toml", b"lock")],
    )  # fmt: skip


def system(seconds: int = 3) -> System:
    """A look at the machine, with one number that W&B has a name for and one that it has none for."""
    values = {
        "cpu/percent": 12.5, "process/memory_bytes": 3 << 20, "gpu/0/percent": 97,
        "gpu/0/memory_bytes": 1 << 30, "gpu/0/celsius": 61, "energy/kwh": 0.25, "bad": float("nan"),
    }  # fmt: skip
    return System(time=START + seconds * SECOND, writer=WRITER, seq=56, values=values)


def defines() -> list[Record]:
    """By name, by the glob that W&B takes, and by one that it does not take."""
    return [
        Define(time=START, key="loss", goal="minimize", summary=["min", "max", "mean", "best", "last"]),
        Define(time=START, key="val/*", goal="maximize", summary=["best"]),
        Define(time=START, key="*/f1", summary=["max"]),
    ]


def trace(id: str = "a" * 32) -> Trace:
    """A chain around one call of a language model."""
    call = Span(
        id="b" * 16, parent="a" * 16, name="chat", type="llm", start=START, end=START + SECOND // 2,
        inputs={"messages": ["hi"]}, outputs="hello",
        attributes={
            "gen_ai.request.model": "small-1", "gen_ai.usage.input_tokens": 3,
            "gen_ai.usage.output_tokens": 2, "gen_ai.usage.cost": 0.5,
        },
    )  # fmt: skip
    chain = Span(id="a" * 16, name="answer", type="chain", start=START, end=START + SECOND, error="E: no")
    return Trace(time=START, writer=WRITER, seq=57, id=id, spans=[chain, call], tags={"t": "1"}, session="s")
