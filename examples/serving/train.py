"""Train, register and promote: `python train.py` makes both models, `python train.py bayes` one of them."""

import json
import os
import sys

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from windows import reference

import runcast

COLUMNS = ["mean radius", "mean texture", "mean smoothness", "mean concavity"]
MODELS = {
    "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    "bayes": GaussianNB(),
}

data = load_breast_cancer(as_frame=True)
train_x, val_x, train_y, val_y = train_test_split(data.data[COLUMNS], data.target, random_state=0)
registry = runcast.registry(os.environ.get("SERVING_REGISTRY", "local"))

for name in sys.argv[1:] or MODELS:
    model = MODELS[name].fit(train_x, train_y)
    with runcast.start("tumour", name=name, params=model.get_params()) as run:
        run.log({"auc": roc_auc_score(val_y, model.predict_proba(val_x)[:, 1])})
        run.log_model(model, input_example=train_x[:5])
    # Scores of rows that a model was fitted to look surer than those to come.
    unseen = cross_val_predict(MODELS[name], train_x, train_y, method="predict_proba")[:, 1]
    training = {"inputs": {c: reference(train_x[c]) for c in COLUMNS}, "scores": reference(unseen)}
    version = registry.register("tumour", run=run, tags={"training": json.dumps(training)})
    registry.promote(str(version), "staging")
    registry.promote(str(version), "production", note="trained by train.py")
    print(f"{version} ({name}) is in production")
