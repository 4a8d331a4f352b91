"""Runs at a W&B server, through the public interface of W&B's own client.

Rows come whole (``scan_history``), never sampled. What the client has no whole reading of, looks at the
machine, is asked for in one go.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from runcast.errors import ConfigError, SourceError
from runcast.formats.wandb_log import SUMMARIES
from runcast.plugins.registry import ModelVersion
from runcast.plugins.source import FoundRun
from runcast.records import Define, Status, System
from runcast.registries.wandb.upload import is_carrier
from runcast.sources.wandb import surroundings
from runcast.sources.wandb.about import About, Event, Held, HeldFile, Missing, Row
from runcast.sources.wandb.rows import time_of

DEFAULT_URL = "https://api.wandb.ai"
_WRONG = ("0.27.1", "0.27.2")
_PAGE = 1000
_LOOKS = 1_000_000
"""Looks at the machine that are asked for; the interface has no pages."""
_STATES: Mapping[str, Status] = {
    "finished": "finished", "failed": "failed", "crashed": "crashed", "killed": "killed",
    "running": "running", "pending": "running", "preempting": "running", "preempted": "crashed",
}  # fmt: skip
_GOALS: Mapping[int, Any] = {1: "minimize", 2: "maximize"}


class Server:
    """A project at a server.

    Args:
        address: ``entity/project``; without an entity the key owner's.
    """

    def __init__(self, address: str) -> None:
        self._entity, _, self._project = address.rpartition("/")
        if not self._project or "/" in self._entity or ":" in address:
            raise ConfigError(
                f"wandb:{address}: write wandb:ENTITY/PROJECT, or a folder such as wandb:./wandb"
            )
        self.base_url = os.environ.get("WANDB_BASE_URL", DEFAULT_URL).rstrip("/")
        self._made: Any = None

    @property
    def identity(self) -> str:
        """The project's address at its server."""
        return f"{self.base_url}/{self.path}"

    @property
    def path(self) -> str:
        """Entity and project."""
        if not self._entity:
            self._entity = str(self._asked(lambda: self._api.default_entity) or "")
        return f"{self._entity}/{self._project}"

    @property
    def _api(self) -> Any:
        if self._made is None:
            self._made = _client(self.base_url)
        return self._made

    def runs(self) -> Iterator[FoundRun]:
        """Every run, the oldest first."""
        pages = self._asked(lambda: self._api.runs(self.path, order="+created_at", per_page=100, lazy=False))
        each = iter(pages)
        while True:
            run = self._asked(lambda: next(each, None))
            if run is None:
                return
            if not is_carrier(run):
                yield _found(run)

    def run(self, id_: str, scratch: Path) -> ServerRun:
        """One run, to be read.

        Raises:
            SourceError: it is not there any more.
        """
        try:
            return ServerRun(_client(self.base_url).run(f"{self.path}/{id_}"), scratch)
        except _errors() as error:
            raise SourceError(f"wandb: run {self.path}/{id_} cannot be read: {_text(error)}") from None

    def made(self, version: ModelVersion) -> bool:
        """Whether a version of a registry comes from a run of this project."""
        return version.source.startswith(f"wandb-artifact://{self.path}/")

    def _asked(self, question: Any) -> Any:
        try:
            return question()
        except _errors() as error:
            text = _text(error)
            raise ConfigError(
                f"wandb: {self._entity or 'the key owner'}/{self._project} at {self.base_url}: {text}; "
                "check the name, the key (`wandb login`, WANDB_API_KEY) and the server (WANDB_BASE_URL)"
            ) from None

    def close(self) -> None:
        """Forget the client's answers."""
        self._made = None


class ServerRun:
    """One run at a server."""

    def __init__(self, run: Any, scratch: Path) -> None:
        self._run, self._scratch = run, scratch
        self.files = ServerFiles(run, scratch / "files")
        self.about = _about(run, self.files)
        self.about.console = self._console

    def events(self) -> Iterator[Event]:
        """Artifacts, then rows, then looks at the machine."""
        try:
            yield from self._artifacts()
            yield from self._rows()
            yield from self._looks()
        except _errors() as error:
            raise SourceError(f"wandb: run {self.about.id} cannot be read: {_text(error)}") from None

    def _rows(self) -> Iterator[Event]:
        lines = int(self._run.historyLineCount or 0)
        last = int(self._run.lastHistoryStep)
        # The client asks for ranges of steps, empty ones too: steps far apart need wide ranges.
        width = max(_PAGE, (last + 1) * _PAGE // max(lines, 1))
        count = 0
        for row in self._run.scan_history(page_size=width, use_cache=False) if lines else ():
            count += 1
            yield Row(dict(row))
        if count < lines and self.about.status != "running":
            yield Missing(f"the server has {lines} rows and gave {count}: try again later", lines - count)

    def _looks(self) -> Iterator[Event]:
        rows = self._run.history(stream="system", samples=_LOOKS, pandas=False)
        for row in rows:
            values = {
                key.removeprefix("system."): value
                for key, value in row.items()
                if not key.startswith("_") and isinstance(value, (int, float))
            }
            if values:
                yield System(time=time_of(row, self.about.started), values=values)
        if len(rows) >= _LOOKS:
            yield Missing(f"looks at the machine beyond the first {_LOOKS}")

    def _artifacts(self) -> Iterator[Event]:
        made = sorted(self._run.logged_artifacts(per_page=100), key=lambda a: (a.created_at, a.name))
        used = list(self._run.used_artifacts(per_page=100))
        both = {artifact.id for artifact in used}
        for artifact in made:
            if artifact.id not in both:
                yield self._held(artifact, use=False)
        for artifact in used:
            yield self._held(artifact, use=True)

    def _held(self, artifact: Any, *, use: bool) -> Held:
        name, _, version = artifact.name.rpartition(":")
        maker = artifact.logged_by() if use else None
        return Held(
            name=name.rpartition("/")[2],
            type=artifact.type,
            description=artifact.description or "",
            metadata=dict(artifact.metadata or {}),
            aliases=[alias for alias in artifact.aliases if alias != version],
            use=use,
            digest=artifact.digest,
            version=version,
            address=artifact.qualified_name,
            made_by=maker.id if maker is not None and maker.id != self.about.id else "",
            files=lambda: list(self._inside(artifact)),
        )

    def _inside(self, artifact: Any) -> Iterator[HeldFile]:
        for path, entry in sorted(artifact.manifest.entries.items()):
            yield HeldFile(
                path=path,
                uri=str(entry.ref or ""),
                digest=str(entry.digest or ""),
                size=int(entry.size or 0),
                fetch=partial(self._fetch, artifact, path),
            )

    def _fetch(self, artifact: Any, path: str) -> Path | None:
        root = self._scratch / str(artifact.id)
        try:
            artifact.download(root=str(root), path_prefix=path)
        except _errors():
            return None
        return root / path

    def _console(self) -> Path | None:
        return self.files.get("output.log")


class ServerFiles:
    """Files of a run at a server, fetched when they are asked for."""

    def __init__(self, run: Any, root: Path) -> None:
        self._run, self._root = run, root
        self._known: dict[str, Any] | None = None

    def names(self) -> list[str]:
        """Every file."""
        return sorted(self._files)

    @property
    def _files(self) -> dict[str, Any]:
        if self._known is None:
            self._known = {file.name: file for file in self._run.files(per_page=500)}
        return self._known

    def get(self, path: str) -> Path | None:
        """A copy of a file."""
        file = self._files.get(path)
        if file is None:
            return None
        try:
            file.download(root=str(self._root), replace=True).close()
        except _errors():
            return None
        return self._root / path


def _client(base_url: str) -> Any:
    if importlib.util.find_spec("wandb") is None:
        raise ConfigError("wandb: reading a server needs W&B's client: pip install 'runcast[wandb]'")
    version = importlib.metadata.version("wandb")
    if version in _WRONG:
        raise ConfigError(
            f"wandb {version} leaves out or doubles rows of a run's history: pip install -U wandb"
        )
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else the client calls home with its own crashes
    os.environ.setdefault("WANDB_SILENT", "true")
    import wandb

    try:
        return wandb.Api(overrides={"base_url": base_url}, timeout=60)
    except _errors() as error:
        raise ConfigError(
            f"wandb: {base_url}: {_text(error)}; run `wandb login` or set WANDB_API_KEY"
        ) from None


def _errors() -> tuple[type[Exception], ...]:
    if importlib.util.find_spec("wandb") is None:
        return (OSError,)
    import wandb

    # The client says "no such project" as a ValueError, and what it cannot parse in pydantic's, which is one.
    return (wandb.errors.Error, wandb.errors.CommError, ValueError, OSError)


def _text(error: Exception) -> str:
    text = " ".join(str(error).split())
    return re.sub(r"//[^/@\s]*@", "//", text)[:300] or type(error).__name__


def _found(run: Any) -> FoundRun:
    own = run.config.get("runcast")
    own = own if isinstance(own, dict) else {}
    status = _STATES.get(run.state, "crashed")
    heart = [run.state, run.heartbeatAt, run.historyLineCount, run.name, run.tags, run.notes, run.config]
    return FoundRun(
        id=run.id,
        experiment=run.project,
        name=run.name or run.id,
        parent=str(own["parent"]) if own.get("parent") else None,
        status=status,
        started=_ns(run.created_at) or None,
        version=json.dumps(heart, sort_keys=True, default=str),
        runcast=run.id if own else "",
        points=int(run.historyLineCount or 0),
    )


def _about(run: Any, files: ServerFiles) -> About:
    raw = dict(run.rawconfig or {})
    config = dict(run.config)
    inner = raw.get("_wandb")
    if isinstance(inner, dict):
        config["_wandb"] = inner.get("value", inner)
    place = files.get("wandb-metadata.json")
    try:
        metadata = json.loads(place.read_bytes()) if place else {}
    except ValueError:
        metadata = {}
    metadata = metadata if isinstance(metadata, dict) else {}
    started = _ns(str(metadata.get("startedAt", ""))) or _ns(run.created_at)
    status = _STATES.get(run.state, "crashed")
    user = run.user
    own = config.get("_wandb")
    defined, axes = _defined(own.get("m") if isinstance(own, dict) else None, started)
    return About(
        id=run.id, url=run.url, entity=run.entity, project=run.project, name=run.name or "",
        group=run.group or "", job_type=run.jobType or "", notes=run.notes or "", tags=list(run.tags or ()),
        host=str(metadata.get("host") or ""), user=str(user.username if user else ""),
        sweep=run.sweep_name or "", started=started,
        ended=_ns(run.heartbeatAt) or None if status != "running" else None, status=status, config=config,
        summary=dict(run.summary_metrics or {}), defined=defined, axes=axes,
        environment=surroundings.of_metadata(metadata), from_server=True,
        extra={"entity": run.entity, **({"commit": run.commit} if run.commit else {})},
    )  # fmt: skip


def _defined(metrics: Any, time: int) -> tuple[list[Define], dict[str, str]]:
    """W&B keeps definitions as the field numbers of its own protobuf message."""
    every = [m for m in metrics if isinstance(m, dict)] if isinstance(metrics, list) else []
    names = [str(m.get("1") or m.get("2") or "").replace("\\.", ".") for m in every]
    numbers = {number: name for name, number in SUMMARIES.items()}
    defined, axes = [], {}
    for name, metric in zip(names, every, strict=True):
        wanted = metric.get("7")
        summary = [numbers[n] for n in wanted if n in numbers] if isinstance(wanted, list) else []
        goal = _GOALS.get(metric.get("8", 0))
        if name and (summary or goal):
            defined.append(Define(time=time, key=name, goal=goal, summary=summary))
        index = metric.get("5")
        if isinstance(index, int) and 0 < index <= len(names):
            axes[name] = names[index - 1]
    return defined, axes


def _ns(stamp: str | None) -> int:
    """ns since 1970 of an ISO time; 0 where it is none. Fractions have up to nine digits."""
    found = re.fullmatch(
        r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\d*(Z|[+-]\d\d:\d\d)?", stamp or ""
    )
    if not found:
        return 0
    zone = "+00:00" if found[3] in (None, "Z") else found[3]
    moment = datetime.fromisoformat(found[1] + zone).astimezone(timezone.utc)
    return int(moment.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))
