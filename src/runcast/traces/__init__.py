"""Timed, nested steps of a script: what `Run.trace` opens and `Run.log_llm` says in one call."""

from runcast.traces.llm import llm_attributes, llm_inputs, llm_outputs
from runcast.traces.open import OpenSpan, OpenTraces, Sink
from runcast.traces.wrap import Tracer

__all__ = ["OpenSpan", "OpenTraces", "Sink", "Tracer", "llm_attributes", "llm_inputs", "llm_outputs"]
