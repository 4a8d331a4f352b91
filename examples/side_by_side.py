"""Several configurations side by side: one run each, in one group; then compared by the local catalog.

Add ``local`` to the backends for the comparison; `runcast compare` draws the curves too.
"""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import runcast

data, malignant = load_breast_cancer(return_X_y=True)
train_x, val_x, train_y, val_y = train_test_split(data, malignant, random_state=0)
configurations = {
    "slow": {"learning_rate": 0.02, "max_depth": 2},
    "usual": {"learning_rate": 0.1, "max_depth": 2},
    "greedy": {"learning_rate": 0.8, "max_depth": 4},
}

for name, configuration in configurations.items():
    model = GradientBoostingClassifier(n_estimators=40, random_state=0, **configuration).fit(train_x, train_y)
    with runcast.start("boosting", name=name, params=configuration, group="depth-and-rate") as run:
        run.define_metric("*/loss", goal="minimize", summary=["min", "last"])
        curves = zip(model.staged_predict_proba(train_x), model.staged_predict_proba(val_x), strict=True)
        for trees, (train, val) in enumerate(curves, start=1):
            run.log({"train/loss": log_loss(train_y, train), "val/loss": log_loss(val_y, val)}, step=trees)

for info in runcast.runs("boosting", sort="metrics.val/loss"):
    loss = info.metrics["val/loss"]
    print(f"{info.name}: val/loss {loss.last:.3f} at the end, {loss.min:.3f} at best")
