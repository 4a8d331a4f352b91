"""A grid search in nested runs: a parent, one child per configuration, one step per fold."""

from sklearn.datasets import load_wine
from sklearn.model_selection import ParameterGrid, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import runcast

data, kinds = load_wine(return_X_y=True)
folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(data, kinds))
grid = {"C": [0.1, 1.0, 10.0], "kernel": ["linear", "rbf"]}

with runcast.start("wine", name="grid-search", params={"folds": len(folds), "grid": grid}) as search:
    results = []
    for setting in ParameterGrid(grid):
        name = "-".join(f"{key}={value}" for key, value in setting.items())
        with search.child(name, params=setting, job_type="trial") as trial:
            scores = []
            for fold, (train, val) in enumerate(folds):
                model = make_pipeline(StandardScaler(), SVC(**setting)).fit(data[train], kinds[train])
                scores.append(model.score(data[val], kinds[val]))
                trial.log({"fold/accuracy": scores[-1]}, step=fold)
            mean = sum(scores) / len(scores)
            trial.log({"accuracy": mean})
        results.append({**setting, "accuracy": mean, "run": trial.id})
    best = max(results, key=lambda result: result["accuracy"])
    search.log({"best/accuracy": best["accuracy"], "trials": runcast.Table(results)})
    search.set_tags({"best": best["run"]})
print(f"best: C={best['C']} with a {best['kernel']} kernel, {best['accuracy']:.3f}")
