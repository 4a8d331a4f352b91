"""What a `Run` says and asks about files: artifacts, models, datasets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runcast import artifacts, normalize
from runcast.errors import UsageError
from runcast.journal import Blobs, Layout, digest
from runcast.normalize import Problem
from runcast.records import Artifact, Record

if TYPE_CHECKING:
    from runcast.artifacts import Reference, StoredArtifact
    from runcast.config import Config
    from runcast.journal import JournalWriter
    from runcast.session import Session
    from runcast.trouble import Trouble

    Source = str | os.PathLike[str] | Reference


class RunFiles:
    """The part of `Run` that deals in files; it has no state of its own."""

    experiment: str
    _config: Config
    _session: Session | None
    _writer: JournalWriter | None
    _finished: bool
    _trouble: Trouble

    if TYPE_CHECKING:

        def _say(self, make: Callable[[int], Record], worth_it: bool, problems: list[Problem]) -> None: ...
        def _redacted(self, values: Mapping[str, Any]) -> dict[str, Any]: ...
        def _refuse(self, call: str) -> None: ...

    def log_artifact(
        self,
        path: Source | Sequence[Source],
        name: str | None = None,
        *,
        type: str = "file",
        aliases: Iterable[str] | str = (),
        metadata: Mapping[str, Any] | None = None,
        description: str = "",
        immutable: bool = False,
        include: Iterable[str] | str = (),
        exclude: Iterable[str] | str = (),
    ) -> None:
        """Keep files as they are now; changing or deleting them afterwards does no harm.

        Args:
            path: a file; a folder, which is taken with all below it; a URI such as ``s3://bucket/key``, which
                stays where it is (`runcast.Reference` says its digest too); or several of these. Links may
                not lead out of a folder.
            name: what to call it; the last part of `path` where left out, of several ``files``.
            type: ``model``, ``dataset``, ``file``, ...
            aliases: moving names, such as ``best``; ``latest`` moves by itself.
            metadata: anything JSON-like.
            description: prose.
            immutable: nobody will ever write into these files again (replacing and deleting them is fine), so
                that large ones are linked instead of copied.
            include: globs; of folders only files whose path matches one. ``*`` matches ``/`` too.
            exclude: globs; no file whose path matches one.
        """
        blobs = self._blobs("log_artifact")
        if blobs is None:
            return None
        now = time.time_ns()
        title, problems = self._title(path, name)
        try:
            files, left_out = artifacts.collect(
                path, blobs, immutable=immutable, include=include, exclude=exclude
            )
        except (UsageError, OSError, TypeError, ValueError) as error:
            return self._trouble.tell([*problems, Problem(title, str(error))], now)
        problems += [Problem(title, text) for text in left_out]
        if not files and not left_out:
            problems.append(Problem(title, "the artifact is empty: no file is there, or none matches"))
        extra, more = normalize.params(metadata or {})
        record = Artifact(
            time=now,
            name=title,
            type=str(type),
            files=files,
            digest="" if any(file.held for file in files) else digest(files),
            aliases=_words(aliases),
            metadata=self._redacted(extra),
            description=self._prose(description),
        )
        return self._say(lambda _: record, bool(files), problems + more)

    def use_artifact(self, name: str, type: str | None = None) -> StoredArtifact:
        """Find an artifact or model of any run in runcast's folder, and note that this run used it.

        Args:
            name: ``name``, ``name:alias``, ``name:v3`` or ``name@digest``; of another experiment,
                ``experiment/name:alias``. Only a name means ``latest``.
            type: refuse an artifact of any other type.

        Raises:
            UsageError: there is none; the message names what is there.
        """
        from runcast.artifacts.find import find

        layout = self._session.layout if self._session is not None else self._own_layout()
        found = find(name, self.experiment, layout, type=type)
        if self._writer is not None and not self._finished:
            self._say(found.as_input, True, [])
        return found

    def _blobs(self, call: str) -> Blobs | None:
        """Where files go; None where the run takes none any more."""
        if self._writer is None or self._finished or self._session is None:
            self._refuse(call)
            return None
        return Blobs(self._session.layout.blobs)

    def _own_layout(self) -> Layout:
        return Layout(self._config.base / self._config.settings.dir)

    def _title(self, path: Any, name: str | None) -> tuple[str, list[Problem]]:
        if name is None:
            alone = isinstance(path, (str, os.PathLike)) and not artifacts.is_uri(path)
            name = artifacts.name_of(path) if alone else _last(path)
        title, why = artifacts.safe_name(str(name))
        return title, [Problem(str(name), why)] if why else []

    def _prose(self, text: str) -> str:
        from runcast.redact import redact_text

        return redact_text(str(text))


def _last(path: Any) -> str:
    if isinstance(path, (str, artifacts.Reference)):
        try:
            return artifacts.reference(path).path.rpartition("/")[2]
        except UsageError:
            return "reference"
    return "files"


def _words(given: Iterable[str] | str) -> list[str]:
    words = [given] if isinstance(given, str) else list(given)
    return list(dict.fromkeys(str(word) for word in words if str(word) != "latest"))
