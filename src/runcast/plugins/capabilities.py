"""What a backend can hold, as data: the README's matrix and every loss report come from here."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Level = Literal["native", "mapped", "notimpl", "notyet", "never"]


class Support(BaseModel):
    """How well one feature is held.

    ``native``: in the tracker's own slot; ``mapped``: kept, but in another form that `note` names;
    ``notimpl``: we could, and have not; ``notyet``: the tracker must move first; ``never``: impossible.
    """

    model_config = ConfigDict(frozen=True)
    level: Level
    note: str = ""


def native(note: str = "") -> Support:
    """The tracker has a slot of its own for it."""
    return Support(level="native", note=note)


def mapped(note: str) -> Support:
    """Kept in another form; `note` says which."""
    return Support(level="mapped", note=note)


def notimpl(reason: str) -> Support:
    """Possible, not built."""
    return Support(level="notimpl", note=reason)


def notyet(reason: str) -> Support:
    """The tracker itself must learn it first."""
    return Support(level="notyet", note=reason)


def never(reason: str) -> Support:
    """The tracker cannot hold it."""
    return Support(level="never", note=reason)


_UNDECLARED = Support(level="notimpl", note="not declared by this backend")


class Capabilities(BaseModel):
    """One `Support` per feature. A feature that a backend does not declare counts as ``notimpl``."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    params: Support = Field(default=_UNDECLARED, description="params")
    typed_params: Support = Field(default=_UNDECLARED, description="param types (int, bool, list, None)")
    long_values: Support = Field(default=_UNDECLARED, description="params and tags of any length")
    metrics: Support = Field(default=_UNDECLARED, description="metrics")
    float64: Support = Field(default=_UNDECLARED, description="64-bit floats, exactly")
    int64: Support = Field(default=_UNDECLARED, description="64-bit integers, exactly")
    nonfinite: Support = Field(default=_UNDECLARED, description="NaN, +inf and -inf")
    any_step: Support = Field(default=_UNDECLARED, description="negative, repeated and backward steps")
    metric_times: Support = Field(default=_UNDECLARED, description="original time of each point")
    run_times: Support = Field(default=_UNDECLARED, description="original start and end of the run")
    status: Support = Field(default=_UNDECLARED, description="finished, failed, killed, crashed")
    tags: Support = Field(default=_UNDECLARED, description="tags")
    notes: Support = Field(default=_UNDECLARED, description="notes")
    text: Support = Field(default=_UNDECLARED, description="text at a step")
    html: Support = Field(default=_UNDECLARED, description="HTML")
    images: Support = Field(default=_UNDECLARED, description="images, lists of them, captions")
    masks: Support = Field(default=_UNDECLARED, description="masks and boxes on images")
    figures: Support = Field(default=_UNDECLARED, description="matplotlib and plotly figures")
    audio: Support = Field(default=_UNDECLARED, description="audio")
    video: Support = Field(default=_UNDECLARED, description="video")
    tables: Support = Field(default=_UNDECLARED, description="tables")
    histograms: Support = Field(default=_UNDECLARED, description="histograms")
    objects3d: Support = Field(default=_UNDECLARED, description="3D objects, meshes, point clouds")
    embeddings: Support = Field(default=_UNDECLARED, description="embeddings")
    graphs: Support = Field(default=_UNDECLARED, description="graphs of models")
    plots: Support = Field(
        default=_UNDECLARED, description="confusion matrix, ROC, PR, calibration, feature importance"
    )
    summaries: Support = Field(default=_UNDECLARED, description="min, max, best of a metric")
    artifacts: Support = Field(default=_UNDECLARED, description="artifacts with metadata and aliases")
    references: Support = Field(default=_UNDECLARED, description="artifacts that stay where they are (URIs)")
    models: Support = Field(default=_UNDECLARED, description="models with signature and example")
    inputs: Support = Field(default=_UNDECLARED, description="datasets and artifacts used (lineage)")
    environment: Support = Field(default=_UNDECLARED, description="git commit, command, packages, machine")
    system: Support = Field(default=_UNDECLARED, description="system metrics")
    traces: Support = Field(default=_UNDECLARED, description="traces of LLM calls")
    nested: Support = Field(default=_UNDECLARED, description="nested runs")
    any_name: Support = Field(default=_UNDECLARED, description="names of any form")
    exactly_once: Support = Field(default=_UNDECLARED, description="no doubles after a crash")
