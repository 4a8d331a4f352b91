"""The smallest script: params, metrics, a text, a file. Trackers come from runcast.toml, or --backends.

python examples/quickstart.py --backends mlflow,tensorboard
"""

import argparse
import math
from pathlib import Path

import runcast

parser = argparse.ArgumentParser()
parser.add_argument("--backends", help="comma-separated; as configured where left out")
backends = parser.parse_args().backends

with runcast.start(
    "quickstart", name="first", params={"lr": 0.1, "model": {"depth": 3}}, tags="example", backends=backends
) as run:
    for step in range(100):
        loss = math.exp(-step / 30)
        run.log({"train/loss": loss, "train/accuracy": 1 - loss}, step=step)
    run.log({"summary": runcast.Text("The loss fell as it should.")})
    Path("weights.txt").write_text("0.1 0.2 0.3\n")
    run.log_artifact("weights.txt", type="model", aliases=["best"])

for name, ref in run.refs.items():
    print(f"{name}: {ref.url}")
