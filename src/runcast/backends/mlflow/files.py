"""Files of a run: artifacts, media and spilled values among MLflow's artifacts.

An artifact's files stand at ``<name>/<path>``. A second content under the same name stands at
``<name>@v2/<path>``, and so on; ``runcast/artifacts/<name>.json`` lists the versions with digest, type,
aliases, metadata and every file's sha256. Text stands at ``text/<key>/<step>.txt``.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from runcast.backends.mlflow import names
from runcast.backends.mlflow.plan import Plan
from runcast.backends.mlflow.residual import Residual, line, shown
from runcast.codec import pack
from runcast.errors import Reject
from runcast.records import Artifact, FileRef, Media

# Digests come from the journal: one that is a path would lead to any file of this user.
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Files:
    """Uploads to one run."""

    def __init__(
        self, client: Any, run_id: str, folder: Path, blob: Callable[[FileRef], Path], *, existed: bool
    ) -> None:
        """
        Args:
            client: an ``mlflow.MlflowClient``.
            run_id: MLflow's.
            folder: private; indices of artifacts are kept there.
            blob: where the content of a file is.
            existed: the run was there before; it may have files that `folder` knows nothing of.
        """
        self._client, self._run_id, self._blob, self._existed = client, run_id, blob, existed
        self._stage = folder / "stage"
        self._indices = folder / "artifacts"
        self._media: dict[str, tuple[Any, ...]] | None = None

    def put(self, path: str, content: bytes) -> None:
        """Make `content` the artifact file at `path`, replacing what was there."""
        staged = self._staged(path)
        staged.write_bytes(content)
        self._log(staged, path)

    def _link(self, path: str, source: Path) -> None:
        # MLflow takes the name from the file it is given; a link gives the blob that name for free.
        staged = self._staged(path)
        staged.symlink_to(source)
        self._log(staged, path)

    def _staged(self, path: str) -> Path:
        shutil.rmtree(self._stage, ignore_errors=True)
        self._stage.mkdir(mode=0o700, parents=True)
        return self._stage / PurePosixPath(path).name

    def _log(self, staged: Path, path: str) -> None:
        parent = str(PurePosixPath(path).parent)
        self._client.log_artifact(self._run_id, str(staged), None if parent == "." else parent)
        staged.unlink()

    def get(self, path: str) -> Path | None:
        """A copy of an artifact file, or None where the run has none; removed by the next call."""
        parent = str(PurePosixPath(path).parent)
        if path not in {info.path for info in self._client.list_artifacts(self._run_id, parent)}:
            return None
        target = self._staged(path).parent
        return Path(self._client.download_artifacts(self._run_id, path, str(target)))

    def artifact(self, plan: Plan, record: Artifact) -> None:
        """Upload every file of an artifact, then its index.

        Raises:
            Reject: a file's path would leave the artifact, or its content is missing.
        """
        targets = [(file, self._checked(record, file), _inner(plan, record, file)) for file in record.files]
        native = names.artifact_name(record.name)
        plan.rename(record.name, native)
        index_path = f"runcast/artifacts/{names.file_name(native)}.json"
        versions = self._versions(index_path)
        digests = [version["digest"] for version in versions]
        number = digests.index(record.digest) if record.digest in digests else len(versions)
        root = native if number == 0 else f"{native}@v{number + 1}"
        if number:
            plan.change(
                "degraded", record.name, f"MLflow has no versions: version {number + 1} is the folder {root}"
            )
        for _, source, inner in targets:
            self._link(f"{root}/{inner}", source)
        entry = {
            "name": record.name,
            "type": record.type,
            "digest": record.digest,
            "path": root,
            "time": record.time,
            "aliases": record.aliases,
            "metadata": pack(record.metadata),
            "files": [
                {"path": file.path, "as": inner, "sha256": file.sha256, "size": file.size}
                for file, _, inner in targets
            ],
        }
        versions[number:] = [entry, *versions[number + 1 :]]
        text = json.dumps(versions, ensure_ascii=True, indent=1).encode()
        self.put(index_path, text)
        self._remember(index_path, text)

    def _checked(self, record: Artifact, file: FileRef) -> Path:
        parts = file.path.split("/")
        if not file.path or file.path.startswith("/") or {"", ".", ".."} & set(parts) or "\0" in file.path:
            raise Reject(
                f"artifact {record.name!r}: the path {file.path!r} leaves its folder: use a relative path"
            )
        source = self._blob(file)
        if not _SHA256.fullmatch(file.sha256) or not source.is_file():
            raise Reject(
                f"artifact {record.name!r}: the content of {file.path!r} is missing from {source.parent}"
            )
        return source

    def _versions(self, index_path: str) -> list[dict[str, Any]]:
        local = self._indices / PurePosixPath(index_path).name
        if not local.exists() and self._existed and (found := self.get(index_path)) is not None:
            self._remember(index_path, found.read_bytes())
        return list(json.loads(local.read_bytes())) if local.exists() else []

    def _remember(self, index_path: str, text: bytes) -> None:
        self._indices.mkdir(mode=0o700, exist_ok=True)
        local = self._indices / PurePosixPath(index_path).name
        fresh = local.with_suffix(".new")
        fresh.write_bytes(text)
        fresh.replace(local)

    def media(self, plan: Plan, record: Media, residual: Residual) -> None:
        """Upload one value that is no number; two of the same key and step get two files.

        Raises:
            Reject: it has no content.
        """
        if self._media is None:
            self._media = {fact["path"]: _identity(fact) for fact in residual.facts("media")}
        content = record.text.encode("utf-8", "surrogatepass") if record.text is not None else None
        digest = record.file.sha256 if record.file else shown(record.text or "")
        fact = {
            "key": record.key,
            "step": record.step,
            "time": record.time,
            "type": record.type,
            "digest": digest,
        }
        path = self._free(record, _identity(fact))
        if content is not None:
            self.put(path, content)
        elif (
            record.file is not None
            and _SHA256.fullmatch(record.file.sha256)
            and self._blob(record.file).is_file()
        ):
            self._link(path, self._blob(record.file))
        else:
            raise Reject(f"media {record.key!r} at step {record.step} has no content")
        self._media[path] = _identity(fact)
        caption = {} if record.caption is None else {"caption": record.caption}
        plan.lines.append(line(kind="media", path=path, **fact, **caption))
        plan.change("degraded", record.key, f"MLflow shows it as a file: {PurePosixPath(path).parent}/")

    def _free(self, record: Media, identity: tuple[Any, ...]) -> str:
        key = record.key if len(record.key) <= names.KEY_LIMIT else names.key(record.key)
        kind = "text" if record.type == "text" else f"media/{names.file_name(record.type)}"
        stem = f"{kind}/{names.artifact_path(key)}/{record.step}"
        suffix = (
            ".txt" if record.file is None else PurePosixPath(names.artifact_path(record.file.path)).suffix
        )
        taken, path, number = self._media or {}, stem + suffix, 1
        while taken.get(path, identity) != identity:
            number += 1
            path = f"{stem}-{number}{suffix}"
        return path


def _identity(fact: dict[str, Any]) -> tuple[Any, ...]:
    return (fact["key"], fact["step"], fact["time"], fact["digest"])


def _inner(plan: Plan, record: Artifact, file: FileRef) -> str:
    native = names.artifact_path(file.path)
    if native != file.path:
        plan.change("renamed", f"{record.name}/{file.path}", f"{record.name}/{native}")
    return native
