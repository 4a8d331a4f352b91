"""W&B's offline folder, read back with W&B's own protobuf classes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from runcast.backends.wandb import WandbBackend
from runcast.plugins import OpenRun
from runcast.testing import BackendContract, ReadBack
from runcast.testing.readback import Reference

from .leveldb import chunks

STATUS = {0: "finished", 1: "failed", 255: "killed"}


class TestWandb(BackendContract):
    """Offline, where the folder is all there is."""

    backend = WandbBackend
    sdk = ("wandb",)
    url_option = "base_url"
    time_resolution = 1000  # a double of seconds
    keeps_last_step = True  # records of one step become one row

    @pytest.fixture(autouse=True)
    def nobody(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """No key of this machine's user."""
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
            monkeypatch.delenv(name, raising=False)

    def options(self, tmp_path: Path) -> dict[str, Any]:
        """Below the project's folder."""
        return {"mode": "offline"}

    def read_back(self, run: OpenRun) -> ReadBack:
        """From the records of the log alone."""
        (log,) = run.resolve("wandb").glob(f"offline-run-*/run-{run.id}.wandb")
        said = _Said()
        for payload in chunks(log.read_bytes()):
            said.take(payload)
        own = said.config.pop("runcast", {})
        said.config.pop("_wandb", None)  # W&B's own part: charts, labels of classes
        names = {legal: _whole(name) for legal, name in own.get("keymap", {}).items()}
        metrics, texts = said.history(own.get("axes", {}), names, log.parent / "files")
        tags = dict(tag.rpartition(":")[::2] if tag.rpartition(":")[1] else (tag, "") for tag in said.tags)
        tags |= {_whole(name): _whole(value) for name, value in own.get("tags", {}).items()}
        return ReadBack(
            params={names.get(key, key): value for key, value in said.config.items()},
            metrics=metrics,
            tags=tags,
            note=said.notes,
            texts=texts,
            artifacts=said.artifacts,
            models=said.models,
            inputs=said.inputs,
            status=own.get("status", "") if said.ended else "running",
            experiment=said.project,
            name=said.name,
            parent=own.get("parent", ""),
        )


class _Said:
    """What the log says, record by record."""

    def __init__(self) -> None:
        self.config: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.artifacts: dict[str, dict[str, bytes]] = {}
        self.models: dict[str, str] = {}
        self.inputs: list[str] = []
        self.tags: list[str] = []
        self.notes = self.project = self.name = ""
        self.ended = False

    def take(self, payload: bytes) -> None:
        """One record."""
        from wandb.proto import wandb_internal_pb2 as pb

        record = pb.Record()
        record.ParseFromString(payload)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.tags, self.notes = list(record.run.tags), record.run.notes
            self.project, self.name = record.run.project, record.run.display_name
        elif kind == "config":
            for item in record.config.remove:
                self.config.pop(_key(item), None)
            for item in record.config.update:
                _merge(self.config, _key(item), json.loads(item.value_json))
        elif kind == "history":
            plain = [
                item for item in record.history.item if len(item.nested_key) < 2
            ]  # a value of media has more
            self.rows.append({_key(item): json.loads(item.value_json) for item in plain})
        elif kind == "artifact":
            self._artifact(record.artifact)
        elif kind == "exit":
            self.ended = True

    def _artifact(self, artifact: Any) -> None:
        """What the script calls an artifact, an input, a model; a table's own artifact is none of these."""
        metadata = json.loads(artifact.metadata or "{}")
        if artifact.type == "run_table":
            return
        if artifact.use_after_commit:
            self.inputs.append(artifact.name)
        elif "flavor" in metadata:
            self.models[artifact.name] = metadata["flavor"]
        else:
            self.artifacts[artifact.name] = {
                e.path: Reference(e.ref.encode()) if e.ref else Path(e.local_path).read_bytes()
                for e in artifact.manifest.contents
            }

    def history(self, axes: dict[str, str], names: dict[str, str], files: Path) -> tuple[Any, Any]:
        """Points and texts; the step of a value stands in its axis's column, else in ``_step``."""
        metrics: dict[str, list[Any]] = {}
        texts: dict[str, list[Any]] = {}
        for row in self.rows:
            for key, value in row.items():
                if key.startswith(("_", "runcast/step/", "runcast/caption/")):
                    continue
                step = int(row.get(axes.get(key, ""), row["_step"]))
                name = names.get(key, key)
                if isinstance(value, str) and re.fullmatch("-?0x[0-9a-f]+", value):
                    value = int(value, 16)
                if isinstance(value, str):
                    spilled = files / value
                    if value.startswith("runcast/text/"):
                        value = spilled.read_text()
                    texts.setdefault(name, []).append((step, value))
                else:
                    metrics.setdefault(name, []).append((step, round(row["_timestamp"] * 1e9), value))
        return metrics, texts


def _merge(config: dict[str, Any], key: str, value: Any) -> None:
    """As W&B does: dicts into dicts."""
    if isinstance(value, dict) and isinstance(config.get(key), dict):
        for inner, each in value.items():
            _merge(config[key], inner, each)
    else:
        config[key] = value


def _key(item: Any) -> str:
    return str(item.nested_key[0] if item.nested_key else item.key)


def _whole(text: str) -> str:
    """Lone surrogates, which protobuf refuses, are written as escapes."""
    return re.sub(r"\\u(d[89a-f][0-9a-f]{2})", lambda match: chr(int(match[1], 16)), text)
