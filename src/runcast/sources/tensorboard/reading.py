"""One run as a stream of records: start, what its files say in their order, what was lost, end."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from runcast.errors import SourceError
from runcast.formats.tfevents import FrameReader, PointDecoder, parse_event
from runcast.journal import Blobs
from runcast.records import Metrics, Note, Params, Record, RunFinished, RunStarted, Tags
from runcast.sources.tensorboard.folders import RunFolder
from runcast.sources.tensorboard.glance import Glance, glance, status
from runcast.sources.tensorboard.losses import Losses
from runcast.sources.tensorboard.own import Own, origin_of
from runcast.sources.tensorboard.projector import embeddings
from runcast.sources.tensorboard.values import Values

# The session of HParams that our backend keeps beside its records.
_SESSION = "events.out.tfevents.0.hparams."
_GONE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ELOOP)


class Reading:
    """Reads one run once.

    Args:
        folder: the run.
        logdir: its real path.
        folder_of: runcast's id of a run → its folder in this logdir, if it is there.
        blobs: takes the content of files.
    """

    def __init__(
        self, folder: RunFolder, logdir: Path, folder_of: Callable[[str], str | None], blobs: Blobs
    ) -> None:
        self._folder, self._logdir, self._blobs = folder, logdir, blobs
        self._losses = Losses()
        self._own = Own(folder, folder_of, blobs, self._losses)
        self._seen = self._glance()
        keys = folder.facts.keys if folder.facts is not None else {}
        self._decoder = PointDecoder(keys)
        self._values = Values(blobs, self._losses, keys, self._seen.session)
        self._finished: RunFinished | None = None
        self._begun = False
        self._last = 0
        self._damaged = False

    def records(self) -> Iterator[Record]:
        """Everything.

        Raises:
            SourceError: a file cannot be read.
        """
        seen, folder = self._seen, self._folder
        ours = seen.said is not None or folder.facts is not None
        if seen.said is None:
            yield self._started()
        for path in self._files(ours):
            yield from self._file(path)
        if not ours:
            start = seen.started
            yield from embeddings(folder.path, self._logdir, start, self._blobs, self._losses)
        elif self._damaged:
            yield from self._salvaged()
        yield from self._losses.records(seen.started)
        end = self._finished or (self._salvaged_end() if ours else self._end())
        if end is not None:
            yield end

    def _files(self, ours: bool) -> list[Path]:
        """The file of our own backend first, because it begins the run; then what others put beside it."""
        folder = self._folder
        files = [*folder.files, *folder.folded]
        if not ours:
            return files
        files = [path for path in files if not path.name.startswith(_SESSION)]
        name = folder.facts.events if folder.facts is not None else ""
        return sorted(files, key=lambda path: path.name != name)

    def _glance(self) -> Glance:
        try:
            return glance(self._folder)
        except OSError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: OSError) -> OSError | SourceError:
        if error.errno not in _GONE:
            return error
        where = error.filename or self._folder.path
        mend = "give yourself the right to read it" if error.errno != errno.ENOENT else "migrate again"
        return SourceError(f"run {self._folder.id}: {where} cannot be read: {error.strerror}; {mend}")

    def _file(self, path: Path) -> Iterator[Record]:
        try:
            file = path.open("rb")
        except OSError as error:
            raise self._refusal(error) from error
        decode = self._decoder.point
        with file:
            frames = FrameReader(file)
            for payload in frames:
                try:
                    point = decode(payload)
                    if point is None:
                        yield from self._event(payload)
                        continue
                except ValueError:
                    self._losses.add("", f"{path.name}: a frame is whole, but no event is in it")
                    continue
                time, step, key, value = point
                if time > self._last:
                    self._last = time
                yield Metrics(time=time, step=step, values={key: value})
            self._tell(path, frames, os.fstat(file.fileno()).st_size)

    def _tell(self, path: Path, frames: FrameReader, size: int) -> None:
        """Count the damage."""
        if frames.damaged:
            self._damaged = True
            reason = f"{path.name} is damaged: what stood there is gone, the rest is here"

            self._losses.add("", reason, frames.damaged, f"{frames.skipped} bytes")
        if frames.offset < size:
            self._damaged = True
            reason = "ends within an event: it is still being written, or its writer died; the rest is here"
            self._losses.add("", f"{path.name} {reason}")

    def _event(self, payload: bytes) -> Iterator[Record]:
        event = parse_event(payload)
        self._last = max(self._last, event.time)
        if not event.record:
            yield from self._values.records(event)
            return
        record = self._own.record(event)
        if isinstance(record, RunFinished):
            if self._finished is not None:
                yield self._finished
            self._finished = record
        elif record is not None:
            if self._finished is not None:
                yield self._finished
                self._finished = None
            yield record

    def _started(self) -> RunStarted:
        """The first record of a run that another writer made, or whose own first record is damaged."""
        seen, folder = self._seen, self._folder
        origin: dict[str, Any] = origin_of(folder)
        extra: dict[str, Any] = {}
        if seen.session is not None:
            said = {"group": seen.session.group, **seen.session.links}
            extra |= {name: value for name, value in said.items() if value}
        if seen.experiment:
            extra["hparams_experiment"] = base64.b64encode(seen.experiment).decode()
        if extra:
            origin["extra"] = extra
        started = RunStarted(
            time=seen.started,
            run="",
            experiment=folder.experiment,
            name=folder.name,
            parent=folder.parent,
            host=seen.host,
            origin=origin,
        )
        facts = folder.facts
        if facts is None:
            return started
        return msgspec.structs.replace(
            started,
            time=facts.start,
            group=facts.group,
            job_type=facts.job_type,
            user=facts.user,
            host=facts.host,
            origin=facts.origin or origin,
        )

    def _end(self) -> RunFinished | None:
        """How a run of another writer ended; None while it may be written."""
        ended = self._values.ended or self._seen.ended
        how = status(ended, self._seen.live)
        if how == "running":
            return None
        time = round(ended.end * 1e9) if ended is not None and ended.end > 0 else self._last
        return RunFinished(time=max(time, self._seen.started), status=how)

    def _salvaged(self) -> Iterator[Record]:
        """Of a damaged file of our own: what ``runcast.json`` knows besides, once more."""
        facts = self._folder.facts
        if facts is None:
            return
        time = self._seen.started
        if facts.params:
            yield Params(time=time, values=facts.params)
        if facts.tags:
            yield Tags(time=time, values=facts.tags)
        if facts.note is not None:
            yield Note(time=time, text=facts.note)

    def _salvaged_end(self) -> RunFinished | None:
        facts = self._folder.facts
        if facts is None or facts.end is None or facts.status == "running":
            return None
        return RunFinished(time=facts.end, status=facts.status, error=facts.error)
