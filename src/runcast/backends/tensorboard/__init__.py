"""TensorBoard: event files, HParams and text in ``<logdir>/<experiment>/<run name>``.

One run is one folder::

    events.out.tfevents.<start>.<run id>        everything said, appended to; see `runcast.formats.tfevents`
    events.out.tfevents.0.hparams.<digest>      the HParams session; replaced by a new one when it changes
    runcast.json                                what is known of the run as a whole; see `facts`
    artifacts/<name>/<digest, 12 digits>/...    files of artifacts; so of ``models/`` and ``inputs/``
    environment/<digest, 12 digits>/...         files of the environment
    media/<name>/<step>-<digest, 16 digits>.*   files of media that no event holds as they are
    projector_config.pbtxt                      leads the projector to embeddings under ``media/``

``docs/tensorboard.md`` has the form of each kind of record, and the way back.

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
