"""Lines of the residual as the records that they were made from; a file that was edited since wins."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any

from runcast.codec import unpack
from runcast.errors import SourceError
from runcast.journal import Blobs
from runcast.records import (
    Artifact,
    Define,
    Environment,
    FileRef,
    Input,
    Lost,
    Media,
    Model,
    Record,
    Span,
    Trace,
)
from runcast.sources.mlflow.files import Files
from runcast.sources.mlflow.said import Said
from runcast.sources.mlflow.stored import LoggedModel, Reader
from runcast.sources.mlflow.traces import Natives


class Overlay:
    """Makes records of one run's lines.

    Args:
        reader: of the store.
        run: MLflow's id of the run.
        files: of the run.
        models: that the run put out.
        traces: of the run, as MLflow has them.
        blobs: takes the content of files.
    """

    def __init__(
        self, reader: Reader, run: str, files: Files, models: list[LoggedModel], traces: Natives, blobs: Blobs
    ) -> None:
        self._reader, self._run, self._files, self._blobs = reader, run, files, blobs
        self._models = {model.id: model for model in models}
        self._traces = traces

    def records(self, said: Said) -> Iterator[Record]:
        """Each line as a record; a `Lost` where a file is gone."""
        for fact in said.facts():
            make = getattr(self, f"_{fact.pop('kind')}", None)
            if make is None:
                continue
            try:
                yield make(fact)
            except (OSError, SourceError) as error:
                name = str(fact.get("key") or fact.get("name") or "environment")
                yield Lost(time=fact.get("time", 0), key=name, reason=f"its content is gone: {error}")

    def _refs(self, fact: dict[str, Any], files: Files | None = None) -> list[FileRef]:
        return [self._ref(ref, files or self._files) for ref in fact.pop("files", ())]

    def _ref(self, ref: dict[str, Any], files: Files) -> FileRef:
        if ref.get("uri"):
            return FileRef(path=ref["path"], sha256=ref["sha256"], size=ref["size"], uri=ref["uri"])
        kept = files.keep(ref["as"], ref["path"], self._blobs)
        if kept.sha256 != ref["sha256"] and ref["path"].endswith(".npy") and ref["as"].endswith(".png"):
            return _as_array(files.read(ref["as"]), ref, kept, self._blobs)
        return kept

    def _media(self, fact: dict[str, Any]) -> Media:
        refs = self._refs(fact)
        text, data = None, fact.get("data", {})
        if not refs:
            content = self._files.read(fact["path"])
            if fact["type"] in ("text", "html"):
                text = content.decode("utf-8", "surrogatepass")
            else:
                data = unpack(json.loads(content))
        if refs and not fact.get("apart"):
            first, *refs = refs
        else:
            first = None
        return Media(
            time=fact["time"], key=fact["key"], step=fact["step"], type=fact["type"], text=text, file=first,
            files=refs, caption=fact.get("caption"), data=data,
        )  # fmt: skip

    def _artifact(self, fact: dict[str, Any]) -> Artifact:
        if place := fact.pop("place", ""):
            fact["origin"] = _origin(f"runs:/{self._run}/{place}", fact)
        return Artifact(files=self._refs(fact), **fact)

    def _model(self, fact: dict[str, Any]) -> Model:
        model = self._models.get(fact.pop("model"))
        if model is None:
            raise SourceError("the logged model is not in MLflow any more")
        files = self._refs(fact, self._reader.files(model.files))
        return Model(files=files, **{**fact, "origin": _origin(model.id, fact)})

    def _input(self, fact: dict[str, Any]) -> Input:
        files = [FileRef(**ref) for ref in fact.pop("files", ())]
        run = fact.pop("run", None)
        # Whoever reads takes this for MLflow's id, as every source gives its own.
        return Input(files=files, run=run and (self._reader.run_of(run) or run), **fact)

    def _define(self, fact: dict[str, Any]) -> Define:
        return Define(**fact)

    def _environment(self, fact: dict[str, Any]) -> Environment:
        return Environment(files=self._refs(fact), **fact)

    def _trace(self, fact: dict[str, Any]) -> Trace:
        spans = [Span(**span) for span in fact.pop("spans")]
        if run := fact.get("model", {}).get("run"):
            fact["model"]["run"] = self._reader.run_of(run) or run
        trace = Trace(spans=spans, **{**fact, "origin": _origin(f"tr-{fact['id']}", fact)})
        return self._traces.over(trace)

    def _lost(self, fact: dict[str, Any]) -> Lost:
        return Lost(**fact)


def _origin(id_: str, fact: dict[str, Any]) -> dict[str, Any]:
    """Where a thing is now, and where it was before."""
    before = fact.get("origin")
    return {"tracker": "mlflow", "id": id_, **({"origin": before} if before else {})}


def _as_array(content: bytes, ref: dict[str, Any], kept: FileRef, blobs: Blobs) -> FileRef:
    """The array that a PNG was drawn from, where its pixels give it back to the byte; else the PNG."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(content)))
    for array in (pixels, pixels[..., None]):
        out = io.BytesIO()
        np.save(out, np.ascontiguousarray(array), allow_pickle=False)
        if hashlib.sha256(out.getvalue()).hexdigest() == ref["sha256"]:
            digest, size = blobs.put_bytes(out.getvalue())
            return FileRef(path=ref["path"], sha256=digest, size=size)
    return FileRef(path=ref["path"].removesuffix(".npy") + ".png", sha256=kept.sha256, size=kept.size)
