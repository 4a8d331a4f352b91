"""Artifacts, datasets and models with lineage: each run says what it used and what it made."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import runcast

# 1. Prepare the data: a folder of files becomes version v0 of an artifact.
with runcast.start("wine-lineage", name="prepare", job_type="data") as run:
    wine = load_wine()
    run.log_dataset({"x": wine.data, "y": wine.target}, name="wine", source="https://doi.org/10.24432/C5PC7J")
    train_x, val_x, train_y, val_y = train_test_split(wine.data, wine.target, random_state=0)
    scaler = StandardScaler().fit(train_x)
    folder = Path("wine")
    folder.mkdir(exist_ok=True)
    np.savez(folder / "train.npz", x=scaler.transform(train_x), y=train_y)
    np.savez(folder / "val.npz", x=scaler.transform(val_x), y=val_y)
    run.log_artifact(folder, "wine-scaled", type="dataset", aliases="clean", metadata={"scaler": "standard"})

# 2. Train: use the artifact by name and alias, keep the model.
with runcast.start("wine-lineage", name="train", job_type="training", params={"C": 0.5}) as run:
    files = run.use_artifact("wine-scaled:clean", type="dataset").path
    train, val = np.load(files / "train.npz"), np.load(files / "val.npz")
    splits = {"train": len(train["y"]), "val": len(val["y"])}
    run.log_dataset({"x": train["x"]}, name="wine-train", target=train["y"], splits=splits)
    model = LogisticRegression(C=0.5).fit(train["x"], train["y"])
    run.log({"val/accuracy": model.score(val["x"], val["y"])})
    run.log_model(model, "wine-model", input_example=val["x"][:2], aliases=["best"], register_as="wine")

# 3. Predict, in another process on another day: the model comes back as what it was.
with runcast.start("wine-lineage", name="predict", job_type="inference") as run:
    used = run.use_artifact("wine-model:best")
    again = runcast.load_model(used)
    agree = (again.predict(val["x"]) == model.predict(val["x"])).mean()
    run.log({"agreement": agree})
print(f"{used.name} {used.version} of run {used.run} agrees on {agree:.0%}")
