"""What a `Run` says and asks about files: artifacts, models, datasets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runcast import normalize
from runcast.errors import UsageError
from runcast.normalize import Problem
from runcast.records import Artifact, FileRef, Input, Model, Record
from runcast.redact import redact_text
from runcast.trouble import harmless

if TYPE_CHECKING:
    from runcast.artifacts import Source, StoredArtifact
    from runcast.config import Config
    from runcast.journal import Blobs, JournalWriter, Layout
    from runcast.session import Session
    from runcast.trouble import Trouble


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

    @harmless
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
        from runcast import artifacts  # scripts without files need not wait for it

        title, problems = self._title(path, name)
        try:
            files, left_out = artifacts.collect(
                path, blobs, immutable=immutable, include=include, exclude=exclude
            )
        except (UsageError, OSError, TypeError, ValueError) as error:
            return self._trouble.tell([*problems, Problem(title, str(error))], now)
        problems += [Problem(title, text, kept=bool(files)) for text in left_out]
        if not files and not left_out:
            problems.append(Problem(title, "the artifact is empty: no file is there, or none matches"))
        extra, more = normalize.params(metadata or {})
        record = Artifact(
            time=now,
            name=title,
            type=str(type),
            files=files,
            digest=_digest(files),
            aliases=_words(aliases),
            metadata=self._redacted(extra),
            description=redact_text(str(description)),
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

        found = find(name, self.experiment, self._layout(), type=type)
        if self._writer is not None and not self._finished:
            self._say(found.as_input, True, [])
        return found

    @harmless
    def log_model(
        self,
        model: Any,
        name: str = "model",
        *,
        signature: Any = None,
        input_example: Any = None,
        register_as: str | None = None,
        flavor: str | None = None,
        requirements: Iterable[str] | str | None = None,
        step: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        aliases: Iterable[str] | str = (),
    ) -> None:
        """Keep a trained model as it is now; `runcast.load_model` gives it back.

        Args:
            model: of scikit-learn, PyTorch (a module, or its state dict), XGBoost or ONNX (a ``ModelProto``,
                or its bytes); a function of one input; or any object with ``predict``.
            name: what to call it.
            signature: ``(inputs, outputs)`` to infer it from, or a ``mlflow.models.ModelSignature``; inferred
                from `input_example` where left out.
            input_example: an input: a frame, array, dict or list; a tuple for a module of several inputs.
            register_as: name under which trackers with a registry register it.
            flavor: ``torchscript`` or ``torch_export`` for a module; else told from the model itself.
            requirements: lines for ``pip install``; the exact versions behind the model where left out.
            step: of the training.
            metadata: anything JSON-like.
            aliases: moving names, such as ``best``.
        """
        blobs = self._blobs("log_model")
        if blobs is None:
            return None
        from runcast import models

        now = time.time_ns()
        title, problems = self._title(name, str(name))
        try:
            saved = models.save(
                model, blobs, flavor=flavor, signature=signature, example=input_example, needs=requirements
            )
        except (UsageError, OSError) as error:
            return self._trouble.tell([*problems, Problem(title, str(error))], now)
        problems += [Problem(title, text, kept=True) for text in saved.problems]
        at = None if step is None else normalize.step(step)
        if isinstance(at, Problem):
            problems.append(at)
            at = None
        extra, more = normalize.params(metadata or {})
        record = Model(
            time=now,
            name=title,
            flavor=saved.flavor,
            files=saved.files,
            digest=_digest(saved.files),
            step=at,
            signature=saved.signature,
            example=self._redacted({"example": saved.example})["example"],
            requirements=[redact_text(line) for line in saved.requirements],
            register_as=None if register_as is None else str(register_as),
            aliases=_words(aliases),
            metadata=self._redacted(extra),
            data=saved.data,
        )
        return self._say(lambda _: record, True, problems + more)

    @harmless
    def log_dataset(
        self,
        data: Any = None,
        name: str | None = None,
        *,
        version: str | None = None,
        context: str = "training",
        splits: Mapping[str, Any] | None = None,
        source: str | os.PathLike[str] | None = None,
        target: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Note what data the run uses: name, digest, schema, sizes. The data themselves stay where they are.

        Args:
            data: a file or folder, which is read once; a NumPy array or dict of arrays; a pandas or polars
                frame; a torch ``TensorDataset``; or left out, where name and source are all there is to say.
            name: what to call it; the last part of a path, else ``dataset``, where left out.
            version: the script's own word for the version.
            context: what for, such as ``training`` or ``validation``.
            splits: name → number of rows, or the data of the split, which is counted and digested.
            source: where it comes from: a URI or path.
            target: name of the column to predict, or the targets themselves.
            metadata: anything JSON-like.
        """
        if self._writer is None or self._finished:
            return self._refuse("log_dataset")
        from runcast import datasets

        now = time.time_ns()
        extra, problems = normalize.params(metadata or {})
        try:
            seen = datasets.look(data, source=source, target=target, splits=splits)
        except (UsageError, OSError) as error:
            return self._trouble.tell([*problems, Problem(str(name or "dataset"), str(error))], now)
        title = str(name) if name else seen.name
        problems += [Problem(title, text, kept=True) for text in seen.problems]
        own = {f"metadata/{key}" if key in datasets.KEYS else key: value for key, value in extra.items()}
        record = Input(
            time=now,
            name=title,
            type="dataset",
            context=str(context),
            digest=seen.digest,
            version=None if version is None else str(version),
            source=seen.source,
            files=seen.files,
            metadata={**self._redacted(own), **seen.metadata},
        )
        return self._say(lambda _: record, True, problems)

    def _blobs(self, call: str) -> Blobs | None:
        """Where files go; None where the run takes none any more."""
        if self._writer is None or self._finished or self._session is None:
            self._refuse(call)
            return None
        return self._store(self._session)

    def _store(self, session: Session) -> Blobs:
        from runcast.journal import Blobs

        return Blobs(session.layout.blobs, sync=self._config.settings.durability == "fsync")

    def _layout(self) -> Layout:
        """runcast's folder; a muted run has one too, to read from."""
        if self._session is not None:
            return self._session.layout
        from runcast.journal import Layout

        return Layout(self._config.base / self._config.settings.dir)

    def _title(self, path: Any, name: str | None) -> tuple[str, list[Problem]]:
        from runcast import artifacts

        if name is None:
            alone = isinstance(path, (str, os.PathLike)) and not artifacts.is_uri(path)
            name = artifacts.name_of(path) if alone else _last(path)
        title, why = artifacts.safe_name(str(name))
        return title, [Problem(str(name), why, kept=True)] if why else []


def _last(path: Any) -> str:
    from runcast import artifacts

    if isinstance(path, (str, artifacts.Reference)):
        try:
            return artifacts.reference(path).path.rpartition("/")[2]
        except UsageError:
            return "reference"
    return "files"


def _words(given: Iterable[str] | str) -> list[str]:
    words = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    return list(dict.fromkeys(str(word) for word in words if str(word) != "latest"))


def _digest(files: list[FileRef]) -> str:
    from runcast.journal import digest

    return "" if any(file.held for file in files) else digest(files)
