"""Everything that a run can hold, at once: each kind of value, in the smallest form that makes sense."""

import math
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import runcast

seeds = runcast.seed_everything(0)
digits = load_digits()
x, y = digits.data[:600] / 16, digits.target[:600]
model = LogisticRegression(max_iter=300).fit(x[:400], y[:400])
score, guess, truth = model.predict_proba(x[400:]), model.predict(x[400:]), y[400:]
picture = np.kron(digits.images[0] / 16, np.ones((8, 8)))  # 64×64
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot(np.bincount(y))
corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
time = np.arange(4000) / 8000
network = torch.nn.Sequential(torch.nn.Linear(64, 10), torch.nn.Softmax(1))
Path("corner.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
Path("notes.txt").write_text("what a person wrote down\n")

with runcast.start(
    "everything",
    name="showcase",
    params={"lr": 0.1, "model": {"depth": 3, "name": "lr"}, "layers": [64, 10], "seed": 0},
    tags={"task": "showcase"},
    notes="One of each.",
    group="examples",
    job_type="demo",
) as run:
    run.define_metric("train/loss", goal="minimize", summary=["min", "last"])
    for step in range(20):
        run.log({"train/loss": math.exp(-step / 5), "train/rate": 0.1 * 0.9**step}, step=step)
    run.log(
        {
            "image": runcast.Image(picture, caption=f"a {y[0]}", metadata={"row": 0}),
            "images": runcast.Image(
                digits.images[:6, :, :, None] / 16, caption=[str(d) for d in y[:6]], columns=3
            ),
            "segmented": runcast.Image(
                picture,
                masks={"ink": {"mask": (picture > 0.5).astype(np.uint8), "classes": {0: "paper", 1: "ink"}}},
                boxes={
                    "found": {
                        "boxes": [
                            {"position": {"minX": 16, "maxX": 48, "minY": 0, "maxY": 64}, "domain": "pixel"}
                            | {"class_id": 1, "scores": {"p": 0.9}, "caption": "zero"}
                        ],
                        "classes": {1: "digit"},
                    }
                },
            ),
            "figure": runcast.Figure(figure),
            "plotly": go.Figure(go.Scatter(y=[1, 3, 2])),
            "audio": runcast.Audio(np.sin(2 * np.pi * 440 * time), sample_rate=8000, caption="A4"),
            "video": runcast.Video((digits.images[:10, None] * 15).astype(np.uint8).repeat(3, 1), fps=5),
            "text": runcast.Text("**bold** words", markdown=True),
            "page": runcast.Html("<h1>A report</h1>"),
            "table": runcast.Table([{"row": i, "truth": int(t)} for i, t in enumerate(truth[:10])]),
            "histogram": runcast.Histogram(x, bins=16),
            "bins": runcast.Histogram(edges=[0, 1, 2], counts=[3, 4]),
            "object": runcast.Object3D("corner.obj"),
            "points": runcast.PointCloud(np.random.default_rng(0).random((50, 3))),
            "mesh": runcast.Mesh(corner, faces=[[0, 1, 2], [0, 1, 3]], colors=[[255, 0, 0]] * 4),
            "embedding": runcast.Embedding(x[:50], [str(d) for d in y[:50]], images=digits.images[:50] / 16),
            "graph": runcast.Graph(network, torch.zeros(1, 64)),
            "confusion": runcast.ConfusionMatrix(truth, guess),
            "roc": runcast.RocCurve(truth, score),
            "pr": runcast.PrCurve(truth, score),
            "calibration": runcast.Calibration(truth == 3, score[:, 3]),
            "importance": runcast.FeatureImportance(dict(enumerate(np.abs(model.coef_).mean(0)))),
        },
        step=20,
    )
    run.log_dataset({"x": x}, name="digits", target=y, splits={"train": 400, "val": 200})
    run.log_artifact("notes.txt", type="file", aliases=["draft"], description="in prose")
    run.log_artifact("s3://bucket/far/away.bin", name="far")
    run.log_model(model, "classifier", input_example=x[:2], register_as="digits")
    run.use_artifact("notes.txt:draft")
    with run.trace("predict", type="chain", inputs={"rows": 1}) as span:
        run.log_llm(prompt="Which digit?", completion=str(guess[0]), model="stand-in", cost=0.0)
        span.set_outputs({"digit": int(guess[0])})
print(f"{run.id}: everything; see `runcast show {run.name} --report`")
