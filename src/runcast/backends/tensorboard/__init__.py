"""TensorBoard: event files, HParams and text in ``<logdir>/<experiment>/<run name>``.

One run is one folder::

    events.out.tfevents.<start>.<run id>        scalars and text, appended to; see `runcast.formats.tfevents`
    events.out.tfevents.0.hparams.<digest>      the HParams session; replaced by a new one when it changes
    runcast.json                                everything that TensorBoard has no slot for; see `facts`
    artifacts/<name>/<digest, 12 digits>/...    the files of artifacts

The package ``tensorboard`` is needed to look at a run, not to write it.
"""

from collections.abc import Sequence

from runcast.backends.tensorboard.backend import TensorBoardBackend, TensorBoardOptions
from runcast.plugins import Backend, hookimpl

__all__ = ["TensorBoardBackend", "TensorBoardOptions", "runcast_backends"]


@hookimpl
def runcast_backends() -> Sequence[type[Backend]]:
    """The backend of this package."""
    return [TensorBoardBackend]
