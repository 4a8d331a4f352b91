"""Makes ``lightning/``: what PyTorch Lightning's own TensorBoard logger writes.

pip install torch==2.13.0 pytorch-lightning==2.6.6 tensorboard==2.21.0
python lightning_run.py FOLDER
"""

import sys

import pytorch_lightning as lightning
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, TensorDataset


class Line(lightning.LightningModule):
    """A line through points."""

    def __init__(self, lr=0.125, width=4):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch, number):
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, number):
        self.log("val/loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)


lightning.seed_everything(1)
inputs = torch.arange(16.0).reshape(8, 2) / 16
data = DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=4)
trainer = lightning.Trainer(
    max_epochs=2,
    logger=TensorBoardLogger(sys.argv[1], name="", version=""),
    log_every_n_steps=1,
    accelerator="cpu",
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Line(), data, data)
print({name: float(value) for name, value in trainer.callback_metrics.items()})
