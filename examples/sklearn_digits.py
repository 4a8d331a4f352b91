"""scikit-learn: train on the handwritten digits, log loss and accuracy of each epoch."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import runcast

images, digits = load_digits(return_X_y=True)
train_x, val_x, train_y, val_y = train_test_split(images / 16, digits, random_state=0)
model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0)

settings = model.get_params()
with runcast.start("digits", name="sgd-baseline", params=settings, tags={"task": "classification"}) as run:
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
