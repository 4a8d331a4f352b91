"""A model's graph as W&B's client writes it: nodes with their operation, edges between them.

Source of the field numbers: TensorFlow's ``graph.proto`` and ``node_def.proto``.
"""

from __future__ import annotations

import json
from typing import Any

from runcast.backends.wandb.media.place import Place
from runcast.errors import Reject
from runcast.formats.wandb_log.wire import fields


def show(place: Place) -> dict[str, Any]:
    """``graph-file``; the ``GraphDef`` itself is kept too."""
    [file] = place.record.contents
    nodes, edges = _read(place.source(file).read_bytes())
    content = {"format": "torch", "nodes": nodes, "edges": edges}
    stored = place.write("graph", ".graph.json", json.dumps(content).encode())
    kept = place.keep(file)
    place.lesser(f"W&B lists nodes and edges; shapes and attributes are in files/{kept}", "spilled")
    place.caption_aside()
    return {"_type": "graph-file", **stored}


def _read(graph: bytes) -> tuple[list[dict[str, Any]], list[list[str]]]:
    nodes: list[dict[str, Any]] = []
    edges: list[list[str]] = []
    try:
        for number, raw in fields(graph):
            if number == 1 and isinstance(raw, bytes):
                name, operation, inputs = _node(raw)
                nodes.append({"name": name, "id": name, "class_name": operation, "parameters": []})
                edges += [[source, name] for source in inputs]
    except ValueError as error:
        raise Reject(f"no GraphDef: {error}") from error
    if not nodes:
        raise Reject("no GraphDef: it has no nodes")
    return nodes, edges


def _node(raw: bytes) -> tuple[str, str, list[str]]:
    texts: dict[int, list[str]] = {1: [""], 2: [""], 3: []}
    for number, value in fields(raw):
        if number in texts and isinstance(value, bytes):
            texts[number].append(value.decode("utf-8", "replace"))
    # "^name" is an edge of control, "name:1" a second output.
    return texts[1][-1], texts[2][-1], [text.lstrip("^").partition(":")[0] for text in texts[3]]
