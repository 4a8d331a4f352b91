"""A look at the head and the tail of a run's files: what is known of it before it is read."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runcast import codec
from runcast.backends.tensorboard.folder import MARKER
from runcast.formats.tfevents import (
    EXPERIMENT,
    Event,
    FrameReader,
    Outcome,
    SessionEnd,
    SessionStart,
    parse_session,
    read,
)
from runcast.plugins.source import FoundRun
from runcast.records import RunStarted, Status
from runcast.sources.tensorboard.folders import RunFolder
from runcast.sources.tensorboard.own import DAMAGED
from runcast.sources.tensorboard.projector import CONFIG

LIVE = 180.0
"""Seconds after its last write for which a file counts as being written; torch and TensorBoard's own writer
flush every 120."""
_HEAD, _TAIL, _EVENTS = 256 << 10, 16 << 10, 16
_HOST = re.compile(r"tfevents\.\d+\.(?:(.+?)\.\d+\.\d+(?:\.v2)?|([\w-]+))\Z")


class Glance(msgspec.Struct):
    """What the ends of the files say.

    Attributes:
        started: ns since 1970 of the first event, or of the session where that is earlier.
        host: from the name of the first file.
        said: the record with which runcast's own backend began the run.
        session: start of the HParams session.
        experiment: HParams' description of the experiment, as it stands there.
        ended: the end of the session, where it stands in the tail.
        live: whether something was written a moment ago.
    """

    started: int = 0
    host: str | None = None
    said: RunStarted | None = None
    session: SessionStart | None = None
    experiment: bytes = b""
    ended: SessionEnd | None = None
    live: bool = False


def glance(folder: RunFolder) -> Glance:
    """Look.

    Raises:
        OSError: a file cannot be read.
    """
    seen = Glance()
    times = []
    for path in [*folder.files, *folder.folded]:
        first = True
        for event in _head(path):
            if first and event.time:
                times.append(event.time)
            first = False
            _take_head(seen, event)
        seen.live |= time.time() - path.stat().st_mtime < LIVE
        seen.ended = _end(path) or seen.ended
    if seen.session is not None and seen.session.start > 0:
        times.append(round(seen.session.start * 1e9))
    seen.started = min(times, default=0)
    if folder.files and (match := _HOST.search(folder.files[0].name)):
        seen.host = match[1] or match[2]
    return seen


def found_run(folder: RunFolder, logdir: Path) -> FoundRun:
    """The run as it is listed."""
    run = FoundRun(
        id=folder.id,
        experiment=folder.experiment,
        name=folder.name,
        parent=folder.parent,
        problem=folder.problem,
    )
    if folder.problem:
        return run
    try:
        seen = glance(folder)
        version = _version(folder, logdir, seen)
    except OSError as error:
        problem = f"{error.filename} cannot be read: {error.strerror}; give yourself the right to read it"
        return msgspec.structs.replace(run, problem=problem)
    facts, said = folder.facts, seen.said
    if said is not None and facts is None:
        run = msgspec.structs.replace(run, experiment=said.experiment, name=said.name)
    started = seen.started or None
    if said is not None:
        started = said.time
    return msgspec.structs.replace(
        run,
        status=facts.status if facts is not None else status(seen.ended, seen.live),
        started=facts.start if facts is not None else started,
        version=version,
        runcast=facts.run if facts is not None else said.run if said is not None else "",
    )


def status(ended: SessionEnd | None, live: bool) -> Status:
    """How a run of another writer ended, which only a session of HParams says.

    `add_hparams` says of every run at once that it went well, without a time: that is no end.
    """
    if ended is not None and ended.outcome == Outcome.FAILURE:
        return "failed"
    known = ended is not None and ended.outcome == Outcome.SUCCESS and ended.end > 0
    running = ended is not None and ended.outcome == Outcome.RUNNING
    return "running" if running or (live and not known) else "finished"


def _head(path: Path) -> Iterator[Event]:
    with path.open("rb") as file:
        data = file.read(_HEAD)
    for number, event in enumerate(read(FrameReader(io.BytesIO(data)))):
        if number == _EVENTS:
            return
        yield event


def _take_head(seen: Glance, event: Event) -> None:
    if event.record and seen.said is None:
        try:
            record = codec.decode(event.record)
        except DAMAGED:
            return
        seen.said = record if isinstance(record, RunStarted) else None
    for value in event.values:
        if value.tag == EXPERIMENT:
            seen.experiment = seen.experiment or value.content
        elif value.plugin == "hparams":
            try:
                session = parse_session(value.content)
            except ValueError:
                continue
            if isinstance(session, SessionStart):
                seen.session = seen.session or session


def _end(path: Path) -> SessionEnd | None:
    """The last end of a session in a file's tail; reading begins somewhere in a frame."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        data = file.read(_TAIL)
    ended = None
    if b"_hparams_/session_end_info" not in data:
        return None
    for event in read(FrameReader(io.BytesIO(data))):
        for value in event.values:
            if value.plugin == "hparams":
                try:
                    session = parse_session(value.content)
                except ValueError:
                    continue
                ended = session if isinstance(session, SessionEnd) else ended
    return ended


def _version(folder: RunFolder, logdir: Path, seen: Glance) -> str:
    """Another text as soon as a file is; and when a run that seemed to be written does no more."""
    parts = ["live"] if seen.live and folder.facts is None and status(seen.ended, True) == "running" else []
    for path in [*folder.files, *folder.folded, folder.path / MARKER, folder.path / CONFIG]:
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        parts.append(f"{path.relative_to(logdir)}:{found.st_size}:{found.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
