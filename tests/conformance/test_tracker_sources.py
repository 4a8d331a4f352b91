"""The sources of the three trackers against the kit."""

from __future__ import annotations

from pathlib import Path

import pytest

from runcast.backends.mlflow import MlflowBackend
from runcast.backends.tensorboard import TensorBoardBackend
from runcast.backends.wandb import WandbBackend
from runcast.plugins.source import Source
from runcast.sources.mlflow import MlflowSource
from runcast.sources.tensorboard import TensorBoardSource
from runcast.sources.wandb import WandbSource
from runcast.testing import SourceContract, Story


class TestTensorBoard(SourceContract):
    """Event files of our own backend."""

    def source(self, tmp_path: Path) -> Source:
        """The logdir."""
        return TensorBoardSource(str(tmp_path / "tb"))

    def store(self, tmp_path: Path) -> Path:
        """Beside it are the journals of those who wrote."""
        return tmp_path / "tb"

    def write(self, tmp_path: Path, story: Story) -> str:
        """One more folder in the logdir."""
        return self.deliver(TensorBoardBackend, {"logdir": str(tmp_path / "tb")}, tmp_path, story)

    def extend(self, tmp_path: Path, run: str, story: Story) -> None:
        """Another writer of event files goes on in the run's folder."""
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(tmp_path / "tb" / run))
        for _, record in story.said:
            for key, value in record.values.items():
                writer.add_scalar(key, value, record.step)
        writer.close()


class TestWandb(SourceContract):
    """Folders of offline runs, of our own backend."""

    points = 5_000

    def source(self, tmp_path: Path) -> Source:
        """The folder."""
        return WandbSource(str(tmp_path / "there"))

    def store(self, tmp_path: Path) -> Path:
        """As of `TestTensorBoard`."""
        return tmp_path / "there"

    def write(self, tmp_path: Path, story: Story) -> str:
        """One more folder of a run."""
        (tmp_path / "there").mkdir(exist_ok=True)
        options = {"mode": "offline", "dir": str(tmp_path / "there")}
        return self.deliver(WandbBackend, options, tmp_path, story)

    def extend(self, tmp_path: Path, run: str, story: Story) -> None:
        """The run is resumed through W&B's own client: a second folder with the same id."""
        import wandb

        settings = wandb.Settings(
            mode="offline", silent=True, console="off", disable_git=True, disable_code=True,
            x_disable_stats=True, x_disable_meta=True, x_save_requirements=False,
        )  # fmt: skip
        with wandb.init(
            id=run, project="digits", dir=str(tmp_path / "there"), resume="allow", settings=settings
        ) as client:
            for _, record in story.said:
                client.log(dict(record.values), step=record.step)
        wandb.teardown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
class TestMlflow(SourceContract):
    """A database, of our own backend."""

    points = 5_000

    @pytest.fixture(autouse=True)
    def _quiet(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")

    def source(self, tmp_path: Path) -> Source:
        """The database."""
        return MlflowSource(f"sqlite:///{tmp_path}/there/mlflow.db")

    def store(self, tmp_path: Path) -> Path:
        """With the files of its artifacts."""
        return tmp_path / "there"

    def write(self, tmp_path: Path, story: Story) -> str:
        """One more run in it."""
        (tmp_path / "there").mkdir(exist_ok=True)
        options = {"uri": f"sqlite:///{tmp_path}/there/mlflow.db"}
        return self.deliver(MlflowBackend, options, tmp_path, story)

    def extend(self, tmp_path: Path, run: str, story: Story) -> None:
        """MLflow's own client goes on."""
        from mlflow import MlflowClient

        client = MlflowClient(f"sqlite:///{tmp_path}/there/mlflow.db")
        hour = 3_600_000
        for _, record in story.said:
            for key, value in record.values.items():
                client.log_metric(
                    run, key, value, timestamp=record.time // 1_000_000 + hour, step=record.step
                )
