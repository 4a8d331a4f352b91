"""Embeddings: files that the projector reads, and the configuration that leads it to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runcast.backends.tensorboard.files import write_whole
from runcast.backends.tensorboard.media.medium import Medium

CONFIG = "projector_config.pbtxt"


def embedding(medium: Medium) -> None:
    """Vectors as text, for the projector's binary form cannot be told from text; the rest as it is."""
    import numpy as np

    data, files = medium.record.data, medium.record.contents
    names = data.get("parts") or ["vectors"]
    if len(names) != len(files):
        raise ValueError(f"{len(files)} files for the parts {names}")
    parts = dict(zip(names, files, strict=True))
    vectors = np.load(medium.path(parts["vectors"]), allow_pickle=False)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"an array of shape {vectors.shape} is no list of vectors")
    places = {name: medium.keep(file) for name, file in parts.items()}
    tensor = f"{places['vectors'].removesuffix('.npy')}.tsv"
    lines = ("\t".join(map(repr, row)) for row in vectors.astype("<f4").tolist())
    write_whole(medium.beside(tensor), ("\n".join(lines) + "\n").encode())
    medium.embedding = {
        "name": f"{medium.tag}:{medium.record.step:05d}",
        "shape": list(vectors.shape),
        "tensor": tensor,
        "metadata": places.get("metadata"),
        "sprite": places.get("sprite"),
        "picture": list(data.get("sprite") or []),
    }
    medium.words.append(f"{len(vectors)} vectors of {vectors.shape[1]} numbers, shown in the projector")


def publish_projector(folder: Path, embeddings: Sequence[dict[str, Any]]) -> None:
    """Make the projector's configuration in `folder` list these embeddings."""
    path = folder / CONFIG
    if embeddings:
        write_whole(path, "".join(map(_block, embeddings)).encode())
    else:
        path.unlink(missing_ok=True)


def _block(one: dict[str, Any]) -> str:
    """One embedding in protobuf's text form (``projector_config.proto``)."""
    lines = [f"tensor_name: {_quoted(one['name'])}", f"tensor_path: {_quoted(one['tensor'])}"]
    lines += [f"tensor_shape: {size}" for size in one["shape"]]
    if one["metadata"]:
        lines.append(f"metadata_path: {_quoted(one['metadata'])}")
    if one["sprite"]:
        sides = " ".join(f"single_image_dim: {side}" for side in one["picture"])
        lines.append(f"sprite {{ image_path: {_quoted(one['sprite'])} {sides} }}")
    return "embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _quoted(text: str) -> str:
    plain = "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in text.encode())
    return f'"{plain}"'
