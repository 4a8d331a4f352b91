"""A real training on real data: handwritten digits, a linear classifier, a few seconds on one core."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import runcast

EPOCHS = 15
BATCH = 64


def train(run: runcast.Run, folder: Path, tell: Callable[[int, int], None] = lambda epoch, of: None) -> None:
    """Train on scikit-learn's digits (1797 images of 8 x 8 pixels, ten classes) and log everything.

    Args:
        run: where to log.
        folder: where the trained weights and the report are written before they are logged.
        tell: called after each epoch with its number and how many there are.
    """
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import classification_report
    from sklearn.model_selection import train_test_split

    images, digits = load_digits(return_X_y=True)
    train_x, val_x, train_y, val_y = train_test_split(images / 16.0, digits, test_size=0.25, random_state=0)
    settings: dict[str, Any] = {"alpha": 1e-4, "eta0": 0.05, "learning_rate": "constant", "loss": "log_loss"}
    run.log_params({"model": settings, "epochs": EPOCHS, "batch_size": BATCH, "shuffle": True, "seed": 0})
    model = SGDClassifier(random_state=0, **settings)
    random = np.random.default_rng(0)
    step = 0
    for epoch in range(EPOCHS):
        order = random.permutation(len(train_x))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            model.partial_fit(train_x[rows], train_y[rows], classes=np.arange(10))
            run.log({"train": _scores(model, train_x[rows], train_y[rows])}, step=step)
            step += 1
        size = float(np.linalg.norm(model.coef_))
        run.log({"val": _scores(model, val_x, val_y), "weights/norm": size, "epoch": epoch}, step=step - 1)
        tell(epoch + 1, EPOCHS)
    report = classification_report(val_y, model.predict(val_x))
    run.log({"report": runcast.Text(f"```\n{report}\n```", caption="per digit")}, step=step - 1)
    (folder / "report.txt").write_text(report)
    np.save(folder / "weights.npy", model.coef_)
    run.log_artifact(folder, "digits-model", type="model", aliases=["latest"], metadata={"classes": 10})


def _scores(model: Any, images: Any, digits: Any) -> dict[str, float]:
    """Cross-entropy in nats, accuracy and macro F1."""
    from sklearn.metrics import f1_score, log_loss

    guesses = model.predict(images)
    return {
        "loss": log_loss(digits, model.predict_proba(images), labels=range(10)),
        "accuracy": float((guesses == digits).mean()),
        "f1": f1_score(digits, guesses, average="macro", zero_division=0.0),
    }
