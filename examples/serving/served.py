"""A model version in memory, ready to answer."""

import json
import time
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field, FiniteFloat

Row = dict[str, Annotated[FiniteFloat, Field(strict=True)]]


class Served:
    """A version in memory; never changed, only replaced."""

    def __init__(self, registry: Any, version: Any) -> None:
        self.version, self.since = version, time.time()
        self.model = registry.load(str(version))
        self.columns = list(self.model.feature_names_in_)
        self.training = json.loads(version.tags.get("training", "{}"))
        if self.training and list(self.training["inputs"]) != self.columns:
            raise ValueError(f"{version}: its tag 'training' describes other columns than {self.columns}")

    def predict(self, rows: list[Row]) -> tuple[Any, Any, Any]:
        """Inputs, scores, classes.

        Raises:
            ValueError: a column is missing or unknown, or the model has no score for a row.
        """
        for number, row in enumerate(rows):
            if row.keys() != set(self.columns):
                missing, unknown = sorted(set(self.columns) - row.keys()), sorted(row.keys() - self.columns)
                raise ValueError(f"row {number}: missing columns {missing}, unknown columns {unknown}")
        frame = pd.DataFrame(rows, columns=self.columns)
        shares = self.model.predict_proba(frame)
        if not np.isfinite(shares).all():
            raise ValueError("the model has no score for these rows: their numbers are too large")
        return frame.to_numpy(), shares[:, 1], self.model.classes_[shares.argmax(axis=1)]
