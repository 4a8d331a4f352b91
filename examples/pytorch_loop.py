"""PyTorch: an ordinary loop. Tensors of one element are logged as they are; checkpoints resume the run."""

from pathlib import Path

import torch

import runcast

torch.manual_seed(0)
data, target = torch.randn(512, 16), torch.randint(0, 2, (512,))
model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
checkpoint = Path("checkpoint.pt")


def train(run: runcast.Run, epochs: range) -> None:
    """Train and log; save the run's own state beside the model's."""
    for epoch in epochs:
        optimizer.zero_grad()
        logits = model(data)
        loss = torch.nn.functional.cross_entropy(logits, target)
        loss.backward()
        optimizer.step()
        accuracy = (logits.argmax(1) == target).float().mean()
        run.log({"train/loss": loss, "train/accuracy": accuracy}, step=epoch)
    torch.save({"model": model.state_dict(), "run": run.state_dict()}, checkpoint)


with runcast.start("torch", params={"lr": 1e-2, "layers": [16, 32, 2]}) as run:
    train(run, range(20))
    run.log_artifact(checkpoint, type="model")

# Later, in another process: the same run goes on where the checkpoint was taken.
state = torch.load(checkpoint, weights_only=True)
with runcast.start(resume=state["run"]) as resumed:
    train(resumed, range(20, 40))
print(f"{resumed.id}: 40 epochs in one run")
