"""PyTorch: an ordinary loop with weights, images, the graph, hyperparameters; checkpoints resume the run."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits

import runcast

runcast.seed_everything(0)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16  # N×1×8×8 in [0, 1]
labels = torch.tensor(digits.target)
train, val = slice(0, 1400), slice(1400, None)
model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 8, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(8 * 4 * 4, 10),
)
settings = {"lr": 2e-2, "optimizer": "adam", "channels": [1, 8]}
optimizer = torch.optim.Adam(model.parameters(), lr=settings["lr"])
checkpoint = Path("checkpoint.pt")


def learn(run: runcast.Run, epochs: range) -> None:
    """Train and log; save the run's own state beside the model's."""
    for epoch in epochs:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(images[train]), labels[train])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            guesses = model(images[val]).argmax(1)
        accuracy = (guesses == labels[val]).float().mean()
        run.log({"train/loss": loss, "val/accuracy": accuracy}, step=epoch)
        if epoch % 10 == 9:
            weights = {
                f"weights/{name}": runcast.Histogram(value) for name, value in model.named_parameters()
            }
            gradients = {
                f"gradients/{name}": runcast.Histogram(value.grad) for name, value in model.named_parameters()
            }
            run.log(weights | gradients, step=epoch)
            wrong = (guesses != labels[val]).nonzero().flatten()[:8]
            captions = [f"{labels[val][i]} taken for {guesses[i]}" for i in wrong]
            run.log(
                {"val/mistakes": runcast.Image(images[val][wrong], caption=captions, columns=4)}, step=epoch
            )
    torch.save({"model": model.state_dict(), "run": run.state_dict()}, checkpoint)


with runcast.start("torch", name="cnn", params=settings) as run:
    run.define_metric("val/accuracy", goal="maximize", summary="best")
    run.log({"model": runcast.Graph(model, images[:1])}, step=0)
    learn(run, range(20))
    run.log_artifact(checkpoint, type="model")

# Later, in another process: the same run goes on where the checkpoint was taken.
state = torch.load(checkpoint, weights_only=True)
with runcast.start(resume=state["run"]) as resumed:
    learn(resumed, range(20, 40))
print(f"{resumed.id}: 40 epochs in one run")
