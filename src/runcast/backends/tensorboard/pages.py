"""Texts about the run that are only for people: the environment, traces, artifacts, summaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runcast.backends.tensorboard.facts import Facts
from runcast.backends.tensorboard.shown import code, grid, plain, table
from runcast.records import Span, Trace

_LONGEST = 2000
_MOST_SPANS = 50
_MOST_FILES = 50
_MOST_ROWS = 1000


def environment(facts: Facts) -> str:
    """What the run ran in, one row for each name, and for each name within one."""
    rows = dict(list(_flat(facts.environment))[:_MOST_ROWS])
    files = [f"`{folder}/{path}`" for folder, paths in facts.environment_files.items() for path in paths]
    return "\n\n".join([table("name", rows), *files])


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from ((f"{name}/{inner}", plain(one)) for inner, one in value.items())
        else:
            yield name, plain(value)


def trace(record: Trace) -> str:
    """The spans as a tree, then what went into each and what came out."""
    depth: dict[str, int] = {}
    rows = []
    for span in record.spans:
        depth[span.id] = depth.get(span.parent or "", -1) + 1
        rows.append(["· " * depth[span.id] + span.name, span.type, *_measures(span), span.error or ""])
    head = [f"trace {record.id}"]
    head += [f"session {record.session}"] if record.session else []
    head += [f"{name}={value}" for name, value in record.tags.items()]
    parts = [", ".join(head), grid(["span", "type", "ms", "model", "tokens", "error"], rows[:_MOST_SPANS])]
    for span in record.spans[:_MOST_SPANS]:
        for what, value in (("in", span.inputs), ("out", span.outputs)):
            if value is not None:
                parts += [f"**{_escaped(span.name)}** {what}:", code(plain(value), longest=_LONGEST)]
    return "\n\n".join(parts)


def _measures(span: Span) -> list[str]:
    attributes = span.attributes
    model = attributes.get("gen_ai.request.model") or attributes.get("gen_ai.response.model") or ""
    tokens = [attributes.get(f"gen_ai.usage.{side}_tokens") for side in ("input", "output")]
    counts = " + ".join("?" if count is None else str(count) for count in tokens)
    return [f"{(span.end - span.start) / 1e6:.3f}", str(model), counts if any(tokens) else ""]


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("\n", " ")


def thing(entry: Mapping[str, Any]) -> str:
    """An artifact, a model or an input: what is known of it, and its files."""
    said = {name: plain(value)[:_LONGEST] for name, value in entry.items() if name not in ("files", "time")}
    parts = [table("name", said)]
    files = entry["files"]
    if files:
        rows = [[file["path"], str(file["size"]), file.get("uri") or file["sha256"]] for file in files]
        parts.append(grid(["file", "bytes", "sha256 or place"], rows[:_MOST_FILES]))
    if len(files) > _MOST_FILES:
        parts.append(f"… {len(files) - _MOST_FILES} more files")
    return "\n\n".join(parts)


def summaries(facts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """One row for each metric and each thing that is wanted of it."""
    rows = [
        [key, name, plain(one["value"]), plain(one["step"]) if "step" in one else ""]
        for key, wanted in facts.items()
        for name, one in wanted.items()
    ]
    return grid(["metric", "summary", "value", "step"], rows)
