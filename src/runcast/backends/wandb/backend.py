"""The W&B backend: writes W&B's own offline run folder; online, W&B's client carries it.

The folder is as W&B's client would leave it, ``wandb/offline-run-<start>-<id>/run-<id>.wandb``, but written
here: only so do rows keep their times however late they are delivered, and only so is each there once. What
is acknowledged is a length of the file; the same records give the same bytes.
"""

from __future__ import annotations

import contextlib
import copy
import glob
import importlib.util
import json
import os
import shlex
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from runcast.backends.wandb import doctor, numbered, probe, registry, removal, spelling
from runcast.backends.wandb.about import DESCRIPTION
from runcast.backends.wandb.declared import CAPABILITIES
from runcast.backends.wandb.logfile import LogFile, private_folder
from runcast.backends.wandb.options import WandbOptions, resolve_mode, run_url
from runcast.backends.wandb.scribe import Scribe
from runcast.backends.wandb.upload import Upload
from runcast.errors import ConfigError, Halt, Reject, Retry
from runcast.formats import wandb_log
from runcast.plugins import Backend, Change, Finding, OpenRun, Receipt, Ref
from runcast.receipts import Made
from runcast.records import Artifact, Media, Metrics, Model, Record

_INT64 = 1 << 63
_RESTART_AFTER = 60.0


class WandbBackend(Backend):
    """Delivers a run to Weights & Biases."""

    name = "wandb"
    Options = WandbOptions
    capabilities = CAPABILITIES
    description: ClassVar = DESCRIPTION
    environment: ClassVar = {
        "mode": "WANDB_MODE",
        "project": "WANDB_PROJECT",
        "entity": "WANDB_ENTITY",
        "dir": "WANDB_DIR",
        "base_url": "WANDB_BASE_URL",
    }
    deadline = 1800.0  # the last call of a run waits for its upload, artifacts included

    options: WandbOptions

    def open(self, run: OpenRun) -> Ref:
        """Make or find the run's folder; no network is needed, but a key that is refused is told at once.

        Raises:
            Halt: see `resolve_mode` and `LogFile`; or W&B's client is missing; or the key is refused.
        """
        self._run = run
        self._upload: Upload | None = None
        self._started_at: float | None = None
        self._online = self._mode() == "online"
        entity = self._entity()
        where = self._describe()
        self._folder = self._find_folder(where.run_id)
        written, tail = run.state.get("bytes", 0), run.state.get("tail")
        self._file = LogFile(self._folder / f"run-{where.run_id}.wandb", tail["bytes"] if tail else written)
        try:
            self._scribe = Scribe(run, where)
            if not written:
                self._scribe.begin()
                self._write()
            elif self._file.length < written:
                # The run went on, so its end was cut off, but what came then was not acknowledged.
                self._scribe.transcript.reopen()
                self._scribe.settle()
                self._write()
        except BaseException:
            self._file.close()
            raise
        if self._online:
            return Ref(id=where.run_id, url=run_url(self.options, entity, where.project, where.run_id))
        # W&B's own terminal UI: it needs no account. `wandb sync` of the same folder uploads the run.
        return Ref(where.run_id, str(self._folder), f"wandb leet run {shlex.quote(str(self._folder))}")

    def deliver(self, batch: Sequence[Record]) -> Receipt:
        """Write a batch; at the run's end, online, wait until W&B's client has uploaded it.

        Raises:
            Reject: a step beyond 64 bits, or an artifact's file that cannot be read.
            Halt, Retry: the server refuses the key, or cannot be reached (only online).
        """
        _check_steps(batch)
        before = copy.deepcopy(self._run.state)
        try:
            changes = self._scribe.take(batch)
            self._scribe.settle()
            self._write()
            kept = [
                numbered.waiting(r, self._scribe.where) for r in batch if isinstance(r, (Artifact, Model))
            ]
            if kept and self._online:
                self._run.state["unnumbered"] = [*self._run.state.get("unnumbered", ()), *kept]
        except BaseException as error:
            self._scribe.forget()
            self._run.state.clear()
            self._run.state.update(before)
            self._scribe = Scribe(self._run, self._scribe.where)
            if isinstance(error, OSError):
                raise _disk(error) from error
            raise
        made = [numbered.offline(one) for one in kept]
        if self._online:
            try:
                self._carry()
                changes += self._register()
                made = self._numbered()
            except (Retry, Halt, OSError, MemoryError):
                raise
            except Exception as error:
                # The records are in the file; as their fault they would come again, in halves, behind it.
                found = f"{type(error).__name__}: {error}"
                raise Retry(f"wandb: {self.options.base_url} answers what it should not: {found}") from error
        return Receipt(list(dict.fromkeys(changes)), made)

    def close(self) -> None:
        """Stop an upload that still runs, write what waits for more, and let go of the file."""
        self._stop_upload()
        try:
            if not self._online and self._run.state["tail"] is None:
                self._show_open_row()
        finally:
            self._file.close()

    def _show_open_row(self) -> None:
        """Leave a run that goes on with its last row, which was held back for its step to be over.

        Behind what is acknowledged: whoever opens the file again begins before it, with the row still open.
        """
        state = self._run.state
        before = copy.deepcopy(state)
        self._scribe.transcript.rows.flush()
        position, data = self._scribe.transcript.take()
        self._file.rewind(position)
        self._file.write(data)
        state.clear()
        state.update(before)

    def remove(self, run: OpenRun, ref: Ref) -> str:
        """Remove the run's folder, and online the run on the server with the artifacts that it made."""
        self._run = run
        self._online = self._mode() == "online"
        where = self._describe()
        stays = ""
        if self._online:
            stays = removal.remove_online(self.options, self._entity(), where.project, ref.id)
        if "folder" in run.state:
            try:
                removal.remove_folder(Path(run.state["folder"]), ref.id)
            except OSError as error:
                raise _disk(error) from error
        return stays

    @classmethod
    def options_from(cls, address: str) -> dict[str, Any]:
        """``wandb:ENTITY/PROJECT`` goes to the server, ``wandb:./wandb`` into a folder, offline."""
        folder = Path(address).expanduser()
        if not address or address.startswith((".", "/", "~")) or folder.is_dir():
            place = folder.absolute()
            return {"mode": "offline", "dir": str(place.parent if place.name == "wandb" else place)}
        entity, slash, project = address.partition("/")
        if not slash:
            entity, project = "", entity
        if "/" in project or not project:
            raise ConfigError(
                f"wandb:{address}: write wandb:ENTITY/PROJECT, or a folder such as wandb:./wandb"
            )
        options = {"mode": "online", "project": project, **({"entity": entity} if entity else {})}
        if server := os.environ.get("WANDB_BASE_URL"):  # part of the place: another server is another one
            options["base_url"] = server
        return options

    @classmethod
    def writers(cls, options: Any) -> int:
        """Each run has files of its own."""
        return os.cpu_count() or 1

    @classmethod
    def diagnose(cls, options: WandbOptions) -> list[Finding]:
        """Mode and why, key present or not, folder, client, server."""
        return doctor.diagnose(options)

    def _mode(self) -> str:
        # A run stays what it was: a key that comes or goes later must not change it in silence.
        chosen = self.options.mode or self._run.state.get("mode")
        mode = self._run.state["mode"] = resolve_mode(self.options.model_copy(update={"mode": chosen}))
        if mode == "online" and importlib.util.find_spec("wandb") is None:
            raise Halt(
                "wandb: uploading needs W&B's client: pip install 'runcast[wandb]', or set mode to 'offline'"
            )
        return mode

    def _entity(self) -> str:
        state = self._run.state
        if not self._online:
            return self.options.entity or ""
        with contextlib.suppress(Retry):  # the file is written whatever the network does
            state["owner"] = probe.ask(self.options.base_url)
        return self.options.entity or str(state.get("owner", ""))

    def _describe(self) -> wandb_log.Run:
        started, parent = self._run.started, self._run.parent
        group = started.group or (parent.id if parent else started.parent) or ""
        return wandb_log.Run(
            run_id=spelling.run_id(self._run.id),
            entity=self.options.entity or "",
            project=spelling.project(self.options.project or started.experiment),
            group=spelling.prose(group),
            job_type=spelling.prose(started.job_type or ""),
            name=spelling.prose(started.name),
            host=spelling.prose(started.host or ""),
            start_ns=started.time,
        )

    def _find_folder(self, run: str) -> Path:
        state = self._run.state
        if "folder" in state:
            return Path(state["folder"])
        home = self._run.resolve(Path(self.options.dir).expanduser()) / "wandb"
        found = sorted(home.glob(f"offline-run-*-{glob.escape(run)}/run-*.wandb"))
        stamp = datetime.fromtimestamp(self._run.started.time // 10**9).strftime("%Y%m%d_%H%M%S")
        folder = found[0].parent if found else home / f"offline-run-{stamp}-{run}"
        try:
            private_folder(folder)
        except OSError as error:
            raise Halt(
                f"wandb: cannot make {folder}: {error.strerror}; set another `dir` (WANDB_DIR)"
            ) from error
        state["folder"] = str(folder)
        return folder

    def _write(self) -> None:
        position, data = self._scribe.transcript.take()
        self._scribe.residual.write(self._folder, over=self._run.state["tail"] is not None)
        self._file.rewind(position)
        self._file.write(data)
        if self._run.state["tail"] is not None:
            self._file.end()

    def _carry(self) -> None:
        over = self._run.state["tail"] is not None
        if over and self._file.synced:
            self._stop_upload()
        elif over:
            self._finish_upload()
        elif self.options.live and not (self._upload and self._upload.running):
            self._start_live()

    def _register(self) -> list[Change]:
        """Link the run's models to the registry, once they are there."""
        links = self._run.state.get("links")
        if not links or self._run.state["tail"] is None:
            return []
        changes = []
        for wanted in links:
            try:
                entity = self.options.entity or str(self._run.state.get("owner", ""))
                home = registry.organization(self.options.base_url, entity)
                if not home:
                    raise probe.Refused(f"{entity or 'the key owner'} has no organization, or several")
                registry.link(self.options.base_url, home, self.options.registry, wanted)
            except probe.Refused as error:
                detail = f"not registered as {wanted['collection']}: {error}; link it in W&B's UI"
                changes.append(Change(what="degraded", key=wanted["name"], detail=detail))
        self._run.state["links"] = []
        return changes

    def _numbered(self) -> list[Made]:
        """The run's artifacts as the server calls them, once they are there."""
        kept = self._run.state.get("unnumbered")
        if not kept or self._run.state["tail"] is None:
            return []
        made = numbered.online(self.options, kept)
        self._run.state["unnumbered"] = []
        return made

    def _start_live(self) -> None:
        now = time.monotonic()
        if self._started_at is None or now - self._started_at >= _RESTART_AFTER:
            self._stop_upload()
            self._started_at = now
            self._upload = self._uploader(live=True)

    def _finish_upload(self) -> None:
        timeout = min(self.options.upload_timeout, self.deadline - 60)
        if self._upload is not None and self._upload.running:
            self._upload.wait(timeout)
        if not self._file.synced:
            self._stop_upload()
            probe.ask(self.options.base_url)  # to say at once what W&B's client says after many tries
            self._upload = self._uploader(live=False)
            self._upload.wait(timeout)
        if not self._file.synced:
            raise self._upload.failure() if self._upload else Retry("wandb: no upload")
        self._stop_upload()

    def _uploader(self, *, live: bool) -> Upload:
        return Upload(self._folder, self.options.base_url, self._run.folder, live=live)

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.stop()
            self._upload = None


def _check_steps(batch: Sequence[Record]) -> None:
    for record in batch:
        if not isinstance(record, (Metrics, Media)) or -_INT64 <= record.step < _INT64:
            continue
        key = record.key if isinstance(record, Media) else ", ".join(list(record.values)[:3])
        raise Reject(f"wandb: step {record.step} of {json.dumps(key)} is beyond 64 bits")


def _disk(error: OSError) -> Reject | Retry:
    # A file of an artifact that is missing will not come back; a full disk may be mended.
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return Reject(f"wandb: cannot read {error.filename}: {error.strerror}")
    return Retry(f"wandb: cannot write the run's file: {error.strerror}")
