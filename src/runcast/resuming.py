"""Going on with a run: how it began, where it stands, and the next generation of its processes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runcast import ranks
from runcast.courier.closing import beginnings, close_dead
from runcast.errors import ConfigError
from runcast.journal import Ends, ends, is_alive, segment_paths
from runcast.records import Media, Metrics, RunStarted
from runcast.session import Session


def rejoin(
    here: Session, fresh: RunStarted, resume: str | Mapping[str, Any] | None, *, among_ranks: bool
) -> tuple[RunStarted, int, int]:
    """How a run began, its next step, and the generation of this process.

    Args:
        here: where it is.
        fresh: how it begins where it is new, which it is only among ranks.
        resume: as of `runcast.start`.
        among_ranks: this is one of several processes that share the run.

    Raises:
        ConfigError: there is no such run.
    """
    run_id = fresh.run
    layout = here.layout
    if resume is None and not beginnings(layout.journal(run_id)):
        return fresh, 0, 0
    # Asked for; or the same job, started again by its queue; or another rank was here first.
    folder = layout.journal(run_id)
    if Path(run_id).name != run_id or not folder.is_dir():
        raise ConfigError(f"no run {run_id!r} in {layout.root} to resume; `runcast runs` lists them")
    with contextlib.suppress(OSError):  # the courier will try again
        close_dead(layout, run_id)
    segments = [segment for path in segment_paths(folder) if (segment := ends(path)) is not None]
    firsts = [segment.first for segment in segments if isinstance(segment.first, RunStarted)]
    started = min(firsts, key=lambda record: record.time, default=fresh)
    generation = 1 + max((segment.header.generation for segment in segments), default=0)
    if among_ranks:
        generation = _generation_of_ranks(here, segments, generation)
    segments = [segment for segment in segments if segment.header.generation < generation]
    step = resume.get("step") if isinstance(resume, Mapping) else None
    return started, step if isinstance(step, int) else _next_step(segments), generation


def _generation_of_ranks(here: Session, segments: list[Ends], otherwise: int) -> int:
    """The generation that living ranks of this launch have begun, `otherwise` where this one is the first.

    It is not one that this process was in before, nor, for rank 0, one that has a rank 0 already.
    """
    headers = [segment.header for segment in segments if not segment.header.courier]
    left = max((h.generation for h in headers if h.process == here.process), default=-1)
    begun = {s.header.generation for s in segments if isinstance(s.first, RunStarted)}
    taken = begun if ranks.rank() == 0 else set()
    return max(
        (
            h.generation
            for h in headers
            if h.generation > left and h.generation not in taken and is_alive(here.layout.alive, h.process)
        ),
        default=otherwise,
    )


def _next_step(segments: list[Ends]) -> int:
    steps = [r.step for segment in segments for r in segment.last if isinstance(r, (Metrics, Media))]
    return max(steps, default=-1) + 1
