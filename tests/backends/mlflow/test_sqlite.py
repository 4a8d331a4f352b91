"""What a run looks like in a SQLite store, seen through MLflow's own client."""

from __future__ import annotations

import json
import math

from .lives import START, metrics

from runcast.records import Artifact, Lost, Media, Note, Params, Tags


def test_x(life, store):
    """x."""
    one = life()
    ref = one.open()
    print(ref)
    f = one.blob("model.pkl", b"pickle")
    recs = one.numbered(
        [
            Params(time=START, values={"lr": 0.1, "on": True, "n": None, "l": [1, 2], "s": "text"}),
            metrics(0, loss=1.5, acc=True, big=2**60 + 1, i=math.inf, n=math.nan),
            Tags(time=START, values={"task": "cls", "runcast.run_id": "forged"}),
            Note(time=START, text="hello"),
            Media(time=START, key="samples/en", step=3, type="text", text="A"),
            Media(time=START + 5, key="samples/en", step=3, type="text", text="B"),
            Artifact(
                time=START,
                name="model.pkl",
                type="model",
                files=[f],
                digest="a" * 64,
                aliases=["best"],
                metadata={"x": math.inf},
            ),
            Lost(time=START, key="k", reason="r", count=3),
            one.finished("crashed", error="Boom"),
        ]
    )
    print(one.deliver(*recs))
    e = store.everything()
    for k, v in e.items():
        print(k, v)
    one.deliver(*recs)
    assert e == store.everything()
    one.backend = None
    one.state = {}
    one.deliver(*recs)
    assert e == store.everything()
