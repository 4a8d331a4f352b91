"""scikit-learn: learn the handwritten digits; loss of each epoch, confusion matrix, feature importance."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import runcast

digits = load_digits(as_frame=True)
train_x, val_x, train_y, val_y = train_test_split(digits.data / 16, digits.target, random_state=0)
model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0)

settings = model.get_params()
with runcast.start("digits", name="sgd-baseline", params=settings, tags={"task": "classification"}) as run:
    run.define_metric("val/accuracy", goal="maximize", summary=["best", "last"])
    for epoch in range(10):
        model.partial_fit(train_x, train_y, classes=np.arange(10))
        run.log(
            {
                "train/loss": log_loss(train_y, model.predict_proba(train_x)),
                "val/loss": log_loss(val_y, model.predict_proba(val_x)),
                "val/accuracy": model.score(val_x, val_y),
            },
            step=epoch,
        )
    forest = RandomForestClassifier(50, random_state=0).fit(train_x, train_y)
    run.log(
        {
            "val/confusion": runcast.ConfusionMatrix(val_y, model.predict(val_x)),
            "forest/importance": runcast.FeatureImportance(forest),
            "forest/accuracy": forest.score(val_x, val_y),
        },
        step=epoch,
    )
