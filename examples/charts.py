"""Charts as in W&B: ROC, precision and recall, calibration, confusion matrix, tables, kept as numbers."""

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runcast

cancer = load_breast_cancer(as_frame=True)
train_x, val_x, train_y, val_y = train_test_split(cancer.data, cancer.target, random_state=0)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_x, train_y)
score = model.predict_proba(val_x)
guess = model.predict(val_x)
names = [str(name) for name in cancer.target_names]

with runcast.start("cancer", name="charts", params={"model": "logistic regression"}) as run:
    run.log(
        {
            "val/accuracy": (guess == val_y).mean(),
            "val/roc": runcast.RocCurve(val_y, score, names=names),
            "val/pr": runcast.PrCurve(val_y, score, names=names),
            "val/calibration": runcast.Calibration(val_y, score[:, 1], bins=8),
            "val/confusion": runcast.ConfusionMatrix(val_y, guess, names=names),
            "importance": runcast.FeatureImportance(model[-1], names=list(cancer.feature_names)),
            "val/scores": runcast.Histogram(score[:, 1], bins=20),
        }
    )
    wrong = (
        val_x[guess != val_y].iloc[:, :3].assign(truth=val_y[guess != val_y], score=score[guess != val_y, 1])
    )
    run.log({"val/mistakes": runcast.Table(wrong, caption="The patients that the model got wrong")})
