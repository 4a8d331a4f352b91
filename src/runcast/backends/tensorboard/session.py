"""The run as a session of HParams.

TensorBoard takes the first start and the first end of a session that it sees in a folder, so the pair
stands in a small file of its own. When it changes, a file with a new name takes the place of the old
one: a server started later sees the whole truth; one that is running sees an end that comes, but no
params that come after the first, nor a second end.

The dashboard keeps steps as int32, and fails for the whole logdir where the last step of a metric is
beyond; a run with such a step has no session.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from runcast.backends.tensorboard.facts import Facts
from runcast.backends.tensorboard.files import write_whole
from runcast.backends.tensorboard.shown import hparams
from runcast.formats.tfevents import (
    Outcome,
    event,
    frame,
    session_end_value,
    session_start_value,
    version_event,
)

# "0" makes it the first in order: TensorBoard's Python reader never returns to an earlier file.
_PREFIX = "events.out.tfevents.0.hparams."


def publish_session(folder: Path, group: str, facts: Facts) -> None:
    """Make the file of `folder` say what `facts` say; `group` names the trial."""
    content = _session(group, facts)
    path = folder / (_PREFIX + hashlib.sha256(content).hexdigest()[:16])
    if not facts.wide_steps and not path.exists():
        write_whole(path, content)
    for other in folder.glob(f"{_PREFIX}*"):
        if other != path or facts.wide_steps:
            other.unlink(missing_ok=True)


def _session(group: str, facts: Facts) -> bytes:
    start = session_start_value(hparams(facts.params)[0], group, facts.start / 1_000_000_000)
    parts = [version_event(facts.start), event(facts.start, 0, start)]
    if facts.end is not None:
        outcome = Outcome.SUCCESS if facts.status == "finished" else Outcome.FAILURE
        parts.append(event(facts.end, 0, session_end_value(outcome, facts.end / 1_000_000_000)))
    return b"".join(map(frame, parts))
